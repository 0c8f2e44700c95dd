#include "fake_ntdll.h"

namespace fake_ntdll {

Data& data()
{
    static constinit Data data {};
    return data;
}

void first()
{
}
void second()
{
}
void of_windows()
{
}

} // namespace fake_ntdll
