// The ways of ws2_32 to ntke.so: which there are, in which order, and that one which leads nowhere
// leaves the next. The host is made up, for none is here that knows all of them.
#include "ws2_32/ways.h"

#include <cwchar>
#include <vector>

#include "unit.h"

namespace {

using namespace ws2;
using namespace ws2::emulation;

constexpr WineVersion kOld { 10, 0 }, kNew { 11, 2 };

const Way* const kPairNamed = &kWays[0];
const Way* const kFile = &kWays[1];
const Way* const kFile64 = &kWays[2];
const Way* const kModule = &kWays[3];
const Way* const kPairUnnamed = &kWays[4];

/// A host on which ntke is at the end of one way, or of none.
struct FakeHost {
    const Way* leads = nullptr;
    const Way* refuses = nullptr;
    std::vector<const Way*> tried {};

    bool find(const Surroundings& here)
    {
        tried.clear();
        return find_way(here, [this](const Way& way) {
            tried.push_back(&way);
            return &way == leads ? End::kOpened : &way == refuses ? End::kRefused : End::kNowhere;
        });
    }
};

void assert_tried(const FakeHost& host, const std::vector<const Way*>& expected)
{
    assert_int_equal(host.tried.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
        assert_ptr_equal(host.tried[i], expected[i]);
}

struct Case {
    Surroundings here;
    std::vector<const Way*> ways;
};

std::vector<Case> all_cases()
{
    return {
        { { kOld, false, false }, { kModule, kPairUnnamed } },
        { { kOld, true, false }, { kPairNamed, kModule } },
        { { kOld, false, true }, { kModule, kPairUnnamed } },
        { { kNew, false, false }, { kFile, kModule, kPairUnnamed } },
        { { kNew, true, false }, { kPairNamed, kFile, kModule } },
        { { kNew, false, true }, { kFile, kFile64, kModule, kPairUnnamed } },
        { { kNew, true, true }, { kPairNamed, kFile, kFile64, kModule } },
    };
}

void the_table_is_what_it_says(void**)
{
    assert_true(kPairNamed->kind == Kind::kPair && kPairUnnamed->kind == Kind::kPair);
    assert_true(kFile->kind == Kind::kLinuxFile && kFile->place == Place::kBesideDll);
    assert_true(kFile64->kind == Kind::kLinuxFile && kFile64->place == Place::kFolderOf64BitDlls);
    assert_true(kModule->kind == Kind::kModule);
    for (const Way* way : { kFile, kFile64, kModule })
        assert_int_equal(std::wcscmp(way->file, ntke::kUnixModule), 0);
}

void all_ways_are_tried_in_order_when_none_leads(void**)
{
    for (const Case& one : all_cases()) {
        FakeHost host;
        assert_false(host.find(one.here));
        assert_tried(host, one.ways);
    }
}

void the_first_way_that_leads_is_the_last_tried(void**)
{
    for (const Case& one : all_cases()) {
        for (size_t i = 0; i < one.ways.size(); ++i) {
            FakeHost host { .leads = one.ways[i] };
            assert_true(host.find(one.here));
            assert_tried(host, { one.ways.begin(), one.ways.begin() + static_cast<long>(i) + 1 });
        }
    }
}

void a_refusal_of_ntke_ends_the_search(void**)
{
    for (const Case& one : all_cases()) {
        for (size_t i = 0; i < one.ways.size(); ++i) {
            FakeHost host { .refuses = one.ways[i] };
            assert_false(host.find(one.here));
            assert_tried(host, { one.ways.begin(), one.ways.begin() + static_cast<long>(i) + 1 });
        }
    }
}

void a_linux_file_is_asked_for_since_11_2_only(void**)
{
    struct Row {
        const char* text;
        bool asks;
    };
    for (const Row& row :
        { Row { "8.0", false }, { "9.22", false }, { "10.0 (Debian 10.0~repack-6)", false },
            { "10.20", false }, { "11.0", false }, { "11.0.2", false }, { "11.0-rc3", false },
            { "11.1", false }, { "11.2", true }, { "11.2 (Staging)", true }, { "11.12", true },
            { "11.20-54-g0123456789a", true }, { "12.0-rc1", true }, { "wine-11.3-GE-1", true },
            { "", false }, { "unknown", false } }) {
        FakeHost host;
        host.find({ parse_wine_version(row.text), false, false });
        bool asked = false;
        for (const Way* way : host.tried)
            asked = asked || way == kFile;
        if (asked != row.asks)
            fail_msg("Wine %s", row.text);
    }
}

void what_a_vendor_adds_to_a_version_does_not_matter(void**)
{
    struct Row {
        const char* text;
        int major;
        int minor;
    };
    for (const Row& row : { Row { "8.0", 8, 0 }, { "8.0.2", 8, 0 }, { "9.0-rc4", 9, 0 },
             { "10.16 (Staging)", 10, 16 }, { "11.0 (Ubuntu 11.0~repack-1)", 11, 0 },
             { "7.0-4-g0123", 7, 0 }, { "wine-8.21", 8, 21 }, { "Proton 9.0", 9, 0 },
             { "11", 11, 0 }, { "11.", 11, 0 }, { "11.x", 11, 0 }, { "", 0, 0 },
             { "no number", 0, 0 }, { "99999999999.5", 9999, 0 } }) {
        const WineVersion version = parse_wine_version(row.text);
        if (version.major != row.major || version.minor != row.minor)
            fail_msg("%s is %d.%d", row.text, version.major, version.minor);
    }
}

void an_answer_that_is_none_tells_no_table(void**)
{
    constexpr uint64_t kTable = 0x7fff12345678;
    struct Row {
        int32_t status;
        LinuxFile answer;
        uint64_t table;
    };
    for (const Row& row :
        {
            Row { 0, { 1, kTable }, kTable },
            { 0, { 0, kTable }, 0 }, // the host has answered another question
            { 0, { 1, 0 }, 0 }, { 0, { 0, 0 }, 0 }, // and written nothing
            { static_cast<int32_t>(0xC0000003), { 1, kTable }, 0 }, // it does not know the question
            { static_cast<int32_t>(0xC0000034), { 0, 0 }, 0 }, // there is no such file
            { static_cast<int32_t>(0xC000007B), { 0, 0 }, 0 }, // it is one of another architecture
        }) {
        const uint64_t table = find_table_of_file([&](LinuxFile& answer) {
            answer = row.answer;
            return row.status;
        });
        assert_true(table == row.table);
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(the_table_is_what_it_says),
        cmocka_unit_test(all_ways_are_tried_in_order_when_none_leads),
        cmocka_unit_test(the_first_way_that_leads_is_the_last_tried),
        cmocka_unit_test(a_refusal_of_ntke_ends_the_search),
        cmocka_unit_test(a_linux_file_is_asked_for_since_11_2_only),
        cmocka_unit_test(what_a_vendor_adds_to_a_version_does_not_matter),
        cmocka_unit_test(an_answer_that_is_none_tells_no_table),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
