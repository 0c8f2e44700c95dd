#include "unix_address.h"

#include <cstring>

#include "catalog.h"
#include "heap.h"
#include "late_library.h"

namespace ws2 {

namespace {

// What they return is the caller's, from the process heap.
using GetUnixFileName = char*(CDECL*)(const wchar_t* path);
using GetDosFileName = wchar_t*(CDECL*)(const char* path);
LateFunction<GetUnixFileName> get_unix_file_name { L"kernel32.dll", "wine_get_unix_file_name" };
LateFunction<GetDosFileName> get_dos_file_name { L"kernel32.dll", "wine_get_dos_file_name" };

/// Returns the bytes with the terminator, 0: there is no such folder.
ULONG find_file(const UnixAddress& address, BYTE* path)
{
    constexpr int kMostCharacters = sizeof(address.path);
    wchar_t wide[kMostCharacters + 1];
    const int count = MultiByteToWideChar(CP_UTF8, 0, address.path,
        static_cast<int>(strnlen(address.path, sizeof(address.path))), wide, kMostCharacters);
    wide[count] = 0;
    const GetUnixFileName find = get_unix_file_name.get();
    char* const found = count && find ? find(wide) : nullptr;
    const size_t size = found ? std::strlen(found) + 1 : 0;
    const bool fits = size && size <= kMaxUnixPath;
    if (fits)
        std::memcpy(path, found, size);
    heap_free(found);
    return fits ? size : 0;
}

} // namespace

int make_device_address(
    const Socket& socket, const SOCKADDR_STORAGE& address, int no_folder, DeviceAddress& made)
{
    made.length = address_length(socket.family);
    std::memcpy(made.bytes, &address, made.length);
    if (socket.family != AF_UNIX)
        return 0;
    const auto& name = reinterpret_cast<const UnixAddress&>(address);
    if (!name.path[0])
        return WSAEINVAL; // [af_unix/5]
    const ULONG size = find_file(name, made.bytes + made.length);
    made.length += size;
    return size ? 0 : no_folder;
}

void make_program_address(SOCKADDR_STORAGE& address)
{
    auto& name = reinterpret_cast<UnixAddress&>(address);
    if (name.family != AF_UNIX || name.path[0] != '/')
        return;
    char path[sizeof(name.path) + 1] {};
    std::memcpy(path, name.path, sizeof(name.path));
    std::memset(name.path, 0, sizeof(name.path));
    const GetDosFileName find = get_dos_file_name.get();
    wchar_t* const found = find ? find(path) : nullptr;
    if (found
        && !WideCharToMultiByte(CP_UTF8, 0, found, -1, path, sizeof(name.path), nullptr, nullptr))
        path[0] = 0;
    if (found && path[0])
        std::memcpy(name.path, path, sizeof(name.path));
    heap_free(found);
}

} // namespace ws2
