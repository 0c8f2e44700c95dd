#include "io/device.h"

#include "afd/socket_file.h"

namespace io {

namespace {

constexpr const Device* kDevices[] = {
    &afd::SocketFile::g_device,
};

char16_t lower(char16_t c)
{
    return c >= u'A' && c <= u'Z' ? static_cast<char16_t>(c - u'A' + u'a') : c;
}

bool is_below(const char16_t* path, size_t length, const char16_t* name, bool ignore_case)
{
    size_t i = 0;
    for (; name[i]; ++i) {
        if (i == length)
            return false;
        if (path[i] != name[i] && !(ignore_case && lower(path[i]) == lower(name[i])))
            return false;
    }
    return i == length || path[i] == u'\\';
}

} // namespace

const Device* find_device(const char16_t* path, size_t length, bool ignore_case)
{
    for (const Device* device : kDevices) {
        if (is_below(path, length, device->name, ignore_case))
            return device;
    }
    return nullptr;
}

} // namespace io
