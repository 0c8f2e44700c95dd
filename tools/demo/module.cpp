#include "module.h"

#include <windows.h>

#include <cstdio>
#include <cwchar>

#include "ntke/names.h"

namespace {

/// The value of `name` in a version resource: the string after its zero-ended name, which starts on
/// a 4-byte boundary. Reads the resource itself and needs no other library for it.
void find_string(
    const unsigned char* block, DWORD size, const wchar_t* name, wchar_t* out, size_t count)
{
    const size_t length = (wcslen(name) + 1) * sizeof(wchar_t);
    for (DWORD at = 0; at + length < size; at += 2) {
        if (memcmp(block + at, name, length) != 0)
            continue;
        DWORD value = at + static_cast<DWORD>(length);
        while (value + 1 < size && !block[value] && !block[value + 1])
            value += 2;
        size_t used = 0;
        while (value + 1 < size && used + 1 < count && (block[value] || block[value + 1])) {
            out[used++] = static_cast<wchar_t>(block[value] | block[value + 1] << 8);
            value += 2;
        }
        out[used] = 0;
        return;
    }
}

} // namespace

void demo::print_library()
{
    wchar_t path[MAX_PATH] = L"?";
    wchar_t product[128] = L"?";
    wchar_t version[64] = L"?";
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    GetModuleFileNameW(module, path, MAX_PATH);
    if (const HRSRC resource = FindResourceW(module, MAKEINTRESOURCEW(1), (LPCWSTR)RT_VERSION)) {
        const auto* block
            = static_cast<const unsigned char*>(LockResource(LoadResource(module, resource)));
        const DWORD size = SizeofResource(module, resource);
        find_string(block, size, L"ProductName", product, 128);
        find_string(block, size, L"FileVersion", version, 64);
    }
    printf("# ws2_32: %ls, %ls, %ls\n", path, product, version);
    fflush(stdout);
}

void demo::print_kernel()
{
    for (const wchar_t* name : ntke::kModules) {
        wchar_t path[MAX_PATH] = L"?";
        if (const HMODULE module = GetModuleHandleW(name)) {
            GetModuleFileNameW(module, path, MAX_PATH);
            printf("# kernel: ntke, %ls\n", path);
            return;
        }
    }
    printf("# kernel: host\n");
}
