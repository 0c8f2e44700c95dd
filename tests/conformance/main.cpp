// conformance.exe: what Windows does, as TAP. Says first which ws2_32.dll the process got.
//
//   conformance [--list] [--filter GLOB] [--expect-product NAME] [GROUP...]
//
// --list prints the groups, or the cases of the groups named with it.

#include "child.h"
#include "harness.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <vector>

#define GROUP(name) extern const conformance::Group group_##name;
#include "groups.h"
#undef GROUP

namespace {

#define GROUP(name) &group_##name,
const conformance::Group* const kGroups[] = {
#include "groups.h"
};
#undef GROUP

constexpr int kExitUsage = 2;
constexpr int kExitWrongLibrary = 3;

struct LoadedLibrary {
    wchar_t path[MAX_PATH];
    wchar_t product[128];
    wchar_t version[64];
};

void copy_version_string(const void* block, const wchar_t* name, wchar_t* out, size_t size)
{
    struct Translation {
        WORD language;
        WORD codepage;
    };
    const Translation* translation = nullptr;
    UINT length = 0;
    wchar_t query[64];
    wchar_t* value = nullptr;
    if (!VerQueryValueW(block, L"\\VarFileInfo\\Translation", (void**)&translation, &length)
        || length < sizeof(*translation))
        return;
    swprintf(query, 64, L"\\StringFileInfo\\%04x%04x\\%ls", translation->language,
        translation->codepage, name);
    if (VerQueryValueW(block, query, (void**)&value, &length) && length)
        swprintf(out, size, L"%.*ls", (int)length, value);
}

/// Asks the loaded module, not the file its path names: under Wine the two can differ.
LoadedLibrary loaded_library()
{
    LoadedLibrary library = { L"?", L"?", L"?" };
    const HMODULE module = GetModuleHandleW(L"ws2_32.dll");
    GetModuleFileNameW(module, library.path, MAX_PATH);
    const HRSRC resource = FindResourceW(module, MAKEINTRESOURCEW(1), (LPCWSTR)RT_VERSION);
    if (!resource)
        return library;
    // A copy: VerQueryValue may write into the block.
    std::vector<char> block(SizeofResource(module, resource) + 256);
    memcpy(block.data(), LockResource(LoadResource(module, resource)),
        SizeofResource(module, resource));
    copy_version_string(block.data(), L"ProductName", library.product, 128);
    copy_version_string(block.data(), L"FileVersion", library.version, 64);
    return library;
}

const conformance::Group* group_named(const char* name)
{
    for (const conformance::Group* group : kGroups) {
        if (!strcmp(group->name, name))
            return group;
    }
    return nullptr;
}

int print_list(const std::vector<const conformance::Group*>& chosen)
{
    for (const conformance::Group* group : chosen) {
        for (size_t i = 0; i < group->count; ++i)
            puts(group->cases[i].name);
    }
    if (chosen.empty()) {
        for (const conformance::Group* group : kGroups)
            puts(group->name);
    }
    return 0;
}

int print_usage()
{
    fputs(
        "usage: conformance [--list] [--filter GLOB] [--expect-product NAME] [GROUP...]\n", stderr);
    return kExitUsage;
}

} // namespace

int main(int argc, char** argv)
{
    std::vector<const conformance::Group*> chosen;
    const char* expected_product = nullptr;
    bool list_only = false;
    // Not in the usage: how a case starts its child processes.
    if (argc == 4 && !strcmp(argv[1], "--child"))
        return conformance::child_main(argv[2], argv[3]);
    setvbuf(stdout, nullptr, _IONBF, 0); // What was printed survives a crash of a later case.

    for (int i = 1; i < argc; ++i) {
        if (!strcmp(argv[i], "--list")) {
            list_only = true;
        } else if (!strcmp(argv[i], "--filter") && i + 1 < argc) {
            cmocka_set_test_filter(argv[++i]);
        } else if (!strcmp(argv[i], "--expect-product") && i + 1 < argc) {
            expected_product = argv[++i];
        } else if (const conformance::Group* group = group_named(argv[i])) {
            chosen.push_back(group);
        } else {
            fprintf(stderr, "conformance: no group or option is called %s\n", argv[i]);
            return print_usage();
        }
    }
    if (list_only)
        return print_list(chosen);
    if (chosen.empty())
        chosen.assign(std::begin(kGroups), std::end(kGroups));

    const LoadedLibrary library = loaded_library();
    printf("# ws2_32: %ls, %ls, %ls\n", library.path, library.product, library.version);
    if (expected_product) {
        wchar_t wide[128];
        swprintf(wide, 128, L"%hs", expected_product);
        if (wcscmp(wide, library.product) != 0) {
            printf("Bail out! this is not the ws2_32.dll of \"%s\"\n", expected_product);
            return kExitWrongLibrary;
        }
    }

    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = 0;
    for (const conformance::Group* group : chosen) {
        printf("# group: %s\n", group->name);
        failed += conformance::run_group(*group);
    }
    return failed ? 1 : 0;
}
