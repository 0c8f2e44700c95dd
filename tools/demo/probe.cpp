// Loads ws2_32.dll the way a program in this prefix does and says which one that was, and which
// kernel serves it. Ends with 0 when the library also starts up.
#include <winsock2.h>

#include "module.h"

int main()
{
    WSADATA data;
    const int error = WSAStartup(MAKEWORD(2, 2), &data);
    demo::print_library();
    if (error)
        return 1;
    demo::print_kernel();
    WSACleanup();
    return 0;
}
