// nt: what the Nt services do, as TAP. Says first which system answers.
//
//   nt [--list] [--filter GLOB] [--winsock] [GROUP...]
//
// --list prints the groups, or the cases of the groups named with it. --winsock has Winsock see
// every event, which may serve it from then on.
#include <cstdio>
#include <cstring>
#include <vector>

#include "harness.h"
#include "platform.h"

#define GROUP(name) extern const nt_suite::Group group_##name;
#include "groups.h"
#undef GROUP

namespace {

#define GROUP(name) &group_##name,
const nt_suite::Group* const kGroups[] = {
#include "groups.h"
};
#undef GROUP

constexpr int kExitUsage = 2;

const nt_suite::Group* group_named(const char* name)
{
    for (const nt_suite::Group* group : kGroups) {
        if (!strcmp(group->name, name))
            return group;
    }
    return nullptr;
}

int print_list(const std::vector<const nt_suite::Group*>& chosen)
{
    for (const nt_suite::Group* group : chosen) {
        for (size_t i = 0; i < group->count; ++i)
            puts(group->cases[i].name);
    }
    if (chosen.empty()) {
        for (const nt_suite::Group* group : kGroups)
            puts(group->name);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    std::vector<const nt_suite::Group*> chosen;
    bool list_only = false;
    setvbuf(stdout, nullptr, _IONBF, 0); // What was printed survives a crash of a later case.

    for (int i = 1; i < argc; ++i) {
        if (!strcmp(argv[i], "--list")) {
            list_only = true;
        } else if (!strcmp(argv[i], "--filter") && i + 1 < argc) {
            cmocka_set_test_filter(argv[++i]);
        } else if (!strcmp(argv[i], "--winsock")) {
            if (!nt_suite::begin_showing_to_winsock()) {
                fputs("nt: there is no Winsock here\n", stderr);
                return kExitUsage;
            }
        } else if (const nt_suite::Group* group = group_named(argv[i])) {
            chosen.push_back(group);
        } else {
            fprintf(stderr, "nt: no group or option is called %s\n", argv[i]);
            fputs("usage: nt [--list] [--filter GLOB] [--winsock] [GROUP...]\n", stderr);
            return kExitUsage;
        }
    }
    if (list_only)
        return print_list(chosen);
    if (chosen.empty())
        chosen.assign(std::begin(kGroups), std::end(kGroups));

    printf("# system: %s\n", nt_suite::describe_system());
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = 0;
    for (const nt_suite::Group* group : chosen) {
        printf("# group: %s\n", group->name);
        failed += nt_suite::run_group(*group);
    }
    if (const int64_t leaked = nt_suite::leaked_objects()) {
        printf("Bail out! %lld objects are left\n", static_cast<long long>(leaked));
        return 1;
    }
    return failed ? 1 : 0;
}
