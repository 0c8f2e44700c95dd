// Events that everybody uses at once: sockets and the program set them, a child process for a
// while, and they are waited for in every way there is. An event is set only when somebody has
// taken what the last set told, so a lost wake-up is a thread that waits for good, and the watchdog
// names the event. One that is told twice is counted.

#include "harness.h"
#include "loopback.h"
#include "shared_events.h"
#include "thread.h"

#include <cstring>
#include <vector>

namespace stress {

namespace {

/// So long a taker does not choose other events, on any machine.
constexpr double kHangSeconds = 100;

/// New events so often: one goes to the host once, and for good.
constexpr double kStormSeconds = 0.5;

/// So many handles of the system's own are made late, and stay. (Wine makes some, with its own
/// Winsock, too.) There are more storms than that, and each would leave its own.
constexpr unsigned kMadeLate = 3;

/// What a group is like.
struct Kind {
    const char* what;
    bool is_manual = false; // its events; there is one taker then: a second would be told, too
    bool goes_to_host = false; // by a wait for all that only the host can judge
    bool is_lent = false; // to a child
};

constexpr std::array kKinds = {
    Kind { .what = "events that stay in the process" },
    Kind { .what = "notification events that stay in the process", .is_manual = true },
    Kind { .what = "events that go to the host", .goes_to_host = true },
    Kind { .what = "events that a child sets, too", .is_lent = true },
    Kind {
        .what = "notification events that a child sets, too", .is_manual = true, .is_lent = true },
};

struct Activities {
    explicit Activities(unsigned group)
        : giver(*new Activity("giver", group)) // The watchdog may read them for ever.
    {
        for (unsigned i = 0; i < kTakers; ++i)
            takers.push_back(new Activity("taker", group * kTakers + i));
        for (unsigned i = 0; i < kSlots; ++i)
            slots.push_back(new Activity("event", group * kSlots + i));
    }
    static constexpr unsigned kTakers = 2;
    Activity& giver;
    std::vector<Activity*> takers;
    std::vector<Activity*> slots;
};

/// Some events, who gives them tokens and who takes these.
class Group {
public:
    Group(const Kind& kind, unsigned seed, Activities& activities, const HostObjects& others,
        bool terminates)
        : m_kind(kind)
        , m_dice(seed)
        , m_activity(activities.giver)
        , m_terminates(terminates)
    {
        for (unsigned i = 0; i < kSlots; ++i)
            m_slots[i] = std::make_unique<Slot>(*activities.slots[i], kind.is_manual, m_more);
        const unsigned takers = kind.is_manual ? 1 : Activities::kTakers;
        for (unsigned i = 0; i < takers; ++i)
            m_takers.push_back(std::make_unique<Taker>(m_slots, m_more.get(), others,
                kind.goes_to_host, 100 * seed + i, *activities.takers[i]));
    }

    void run(double deadline)
    {
        std::array<bench::Thread, Activities::kTakers> threads;
        for (size_t i = 0; i < m_takers.size(); ++i)
            require(threads[i].start([this, i] { m_takers[i]->run(); }), "starting a thread");
        for (const auto& taker : m_takers)
            taker->wait_until_it_has_begun();
        while (now() < deadline) {
            m_activity.doing("giving");
            if (!give_to_all())
                wait_for_more();
            do_something_else();
        }
        if (m_bystander)
            m_bystander->release();
        m_activity.doing("waiting until each event has been told of once more");
        see_all_told();
        m_child.reset();
        for (const auto& slot : m_slots)
            slot->end();
        m_activity.doing("waiting for the takers");
        for (bench::Thread& thread : threads)
            thread.join();
        m_bystander.reset();
        m_activity.doing("finished");
    }

    uint64_t taken() const
    {
        uint64_t sum = 0;
        for (const auto& slot : m_slots)
            sum += slot->taken();
        return sum;
    }
    bool has_lost_mail() const
    {
        for (const auto& taker : m_takers) {
            if (taker->mail().is_any_missing())
                return true;
        }
        return false;
    }
    unsigned terminated() const { return m_terminated; }
    unsigned suspended() const { return m_suspended; }
    unsigned children() const { return m_children; }

private:
    /// False: nobody has taken anything since.
    bool give_to_all()
    {
        bool has_given = false;
        for (unsigned i = 0; i < kSlots; ++i) {
            if (!m_slots[i]->is_empty())
                continue;
            give(i);
            has_given = true;
        }
        return has_given;
    }
    void give(unsigned i)
    {
        const unsigned way = m_dice.below(3);
        if (way == 0)
            m_slots[i]->give_by_datagram(m_sender.get());
        else if (way == 1 && m_child)
            m_slots[i]->give_by(m_child->event_that_sets(i));
        else
            m_slots[i]->give_by(m_slots[i]->event());
    }
    void wait_for_more()
    {
        require(WaitForSingleObject(m_more.get(), INFINITE) == WAIT_OBJECT_0,
            "waiting until an event is taken");
    }
    /// One whose wake-up was lost is given for good.
    void see_all_told()
    {
        for (const auto& slot : m_slots) {
            const uint64_t before = slot->taken();
            const double limit = now() + kHangSeconds;
            while (slot->taken() == before) {
                require(now() < limit, "an event was set, and nobody was told");
                if (!give_to_all())
                    wait_for_more();
            }
        }
    }

    void do_something_else()
    {
        Taker& taker = *m_takers[m_dice.below(static_cast<unsigned>(m_takers.size()))];
        switch (m_dice.below(64)) {
        case 0:
        case 1:
            return suspend(taker.mail().thread());
        case 2:
            return look_after_bystander();
        case 3:
            return m_kind.is_lent && !m_dice.below(4) ? begin_or_end_child() : void();
        default:
            return m_dice.below(2) ? taker.mail().send_apc() : taker.mail().send_message();
        }
    }
    /// What a suspended thread may hold is not needed here.
    void suspend(HANDLE thread)
    {
        m_activity.doing("suspending a thread");
        require(SuspendThread(thread) != static_cast<DWORD>(-1), "SuspendThread");
        for (const auto& slot : m_slots) {
            if (slot->is_empty()) {
                slot->give_by(slot->event());
                break;
            }
        }
        Sleep(m_dice.below(3));
        require(ResumeThread(thread) == 1, "ResumeThread");
        ++m_suspended;
    }
    void look_after_bystander()
    {
        if (!m_bystander) {
            m_bystander = std::make_unique<Bystander>(*m_slots[m_dice.below(kSlots)]);
        } else if (!m_terminates || m_kind.goes_to_host || m_kind.is_lent) {
            suspend(m_bystander->thread()); // An event that moves has it leave the wait.
        } else if (m_bystander->is_surely_waiting()) {
            m_activity.doing("terminating a thread");
            m_bystander->terminate();
            m_bystander.reset();
            ++m_terminated;
        }
    }
    void begin_or_end_child()
    {
        if (!m_child) {
            m_activity.doing("starting a child");
            m_child = std::make_unique<Child>(m_slots);
            ++m_children;
            return;
        }
        m_activity.doing("waiting for a child");
        m_child.reset(); // It does first what it was asked.
    }

    const Kind& m_kind;
    Dice m_dice;
    Activity& m_activity;
    const bool m_terminates;
    const More m_more;
    const UniqueSocket m_sender = make_sender();
    Slots m_slots;
    std::vector<std::unique_ptr<Taker>> m_takers;
    std::unique_ptr<Bystander> m_bystander;
    std::unique_ptr<Child> m_child;
    unsigned m_suspended = 0;
    unsigned m_terminated = 0;
    unsigned m_children = 0;
};

struct Totals {
    unsigned storms = 0;
    uint64_t taken = 0;
    unsigned suspended = 0;
    unsigned terminated = 0;
    unsigned children = 0;
    bool is_mail_lost = false;
};

/// All groups for a while, with new events.
void storm(std::vector<Activities>& activities, bool terminates, Totals& totals)
{
    const auto first_seed = static_cast<unsigned>(totals.storms++ * kKinds.size() + 1);
    const HostObjects others;
    std::vector<std::unique_ptr<Group>> groups;
    for (unsigned i = 0; i < kKinds.size(); ++i)
        groups.push_back(
            std::make_unique<Group>(kKinds[i], first_seed + i, activities[i], others, terminates));
    run_threads(static_cast<unsigned>(groups.size()), kStormSeconds,
        [&](unsigned number, double deadline) { groups[number]->run(deadline); });
    for (const auto& group : groups) {
        totals.taken += group->taken();
        totals.suspended += group->suspended();
        totals.terminated += group->terminated();
        totals.children += group->children();
        totals.is_mail_lost |= group->has_lost_mail();
    }
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    if (argc == 2 && !std::strcmp(argv[1], "--child"))
        return stress::Child::run();
    const stress::Options options = stress::start(argc, argv);
    std::vector<stress::Activities> activities;
    for (unsigned i = 0; i < stress::kKinds.size(); ++i)
        activities.emplace_back(i);
    stress::Totals totals;
    // What is made once per process, or per thread at the same time, may stay.
    for (unsigned i = 0; i < 4; ++i)
        stress::storm(activities, false, totals);
    const unsigned before = stress::count_handles();

    const double half = stress::now() + options.seconds / 2.0;
    for (unsigned i = 0; i <= stress::kMadeLate || stress::now() < half; ++i)
        stress::storm(activities, false, totals);
    stress::report_handles(before, stress::kMadeLate);
    const double end = half + options.seconds / 2.0;
    while (stress::now() < end) // What such a thread had open stays open, on Windows too.
        stress::storm(activities, true, totals);

    stress::note(std::to_string(totals.taken) + " sets taken, " + std::to_string(totals.suspended)
        + " times a thread suspended, " + std::to_string(totals.terminated)
        + " threads terminated, " + std::to_string(totals.children) + " children");
    stress::report(totals.taken > 0, "no_wake_up_is_lost");
    stress::note(std::to_string(stress::g_told_twice) + " waits satisfied by nothing");
    stress::report(!stress::g_told_twice, "no_wake_up_is_told_twice");
    stress::report(!totals.is_mail_lost, "every_apc_and_message_comes_once");
    return stress::finish();
}
