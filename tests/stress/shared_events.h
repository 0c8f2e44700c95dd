#pragma once

// The parts of the storm of shared events: an event that is set only after the last set was taken,
// who takes, and who else is at it. Every wait of this file that is lost lasts for good.

#include "harness.h"
#include "loopback.h"

#include <array>
#include <atomic>
#include <memory>

namespace stress {

using bench::UniqueEvent;
using bench::UniqueSocket;

struct CloseTheHandle {
    void operator()(HANDLE handle) const { CloseHandle(handle); }
};
using UniqueHandle = std::unique_ptr<void, CloseTheHandle>;

constexpr unsigned kSlots = 4;

/// Waits that were satisfied by an event nobody had set.
inline std::atomic<uint64_t> g_told_twice;

/// Set whenever somebody has taken something. A synchronization event that Winsock has seen.
class More {
public:
    More();
    HANDLE get() const { return m_event.get(); }

private:
    UniqueEvent m_event;
    UniqueSocket m_socket; // Nothing ever comes in.
};

/// An event that a socket has selected, and the token that it tells of.
class Slot {
public:
    Slot(Activity& activity, bool is_manual, const More& more);

    HANDLE event() const { return m_event.get(); }
    bool is_manual() const { return m_is_manual; }
    bool is_empty() const { return m_token == Token::None; }
    uint64_t taken() const { return m_taken; }

    /// The giver's, while it is empty. `event` is its own, or one that makes somebody set it.
    void give_by(HANDLE event);
    void give_by_datagram(SOCKET sender);
    /// There will be no more tokens; whoever waits is told, one after the other.
    void end();
    /// A wait was satisfied by the event. False: there will be no more.
    bool take();

private:
    enum class Token {
        None,
        Set,
        Datagram,
        BeingTaken,
    };
    void announce(Token token);
    void take(Token token);
    void receive();

    Activity& m_activity;
    const bool m_is_manual;
    const HANDLE m_more;
    sockaddr_in m_address = {};
    UniqueEvent m_event;
    UniqueSocket m_socket;
    std::atomic<Token> m_token = Token::None;
    std::atomic<bool> m_is_over = false;
    std::atomic<uint64_t> m_taken = 0;
};

using Slots = std::array<std::unique_ptr<Slot>, kSlots>;

/// A socket to give datagrams with.
UniqueSocket make_sender();

/// Objects that only the host has, for waits for these as well. The thread that makes them owns the
/// mutex, so that nobody gets it; nothing comes through the pipe.
class HostObjects {
public:
    HostObjects();
    HostObjects(const HostObjects&) = delete;
    ~HostObjects();
    HANDLE mutex() const { return m_mutex.get(); }
    HANDLE pipe() const { return m_pipe.get(); }
    HANDLE semaphore() const { return m_semaphore.get(); } // always signaled

private:
    UniqueHandle m_mutex;
    UniqueHandle m_semaphore;
    UniqueHandle m_pipe;
    UniqueHandle m_other_end;
    OVERLAPPED m_read = {};
    char m_byte = 0;
};

/// What interrupts a taker's waits. Each must come, and once.
class Mail {
public:
    /// The taker's.
    void open();
    void receive_messages();
    void receive_rest();

    HANDLE thread() const { return m_thread.get(); }
    void send_apc();
    void send_message();
    bool is_any_missing() const { return m_apcs != m_apcs_sent || m_messages != m_messages_sent; }

private:
    static constexpr uint64_t kMostUnderWay = 16;
    static void CALLBACK run_apc(ULONG_PTR mail);

    UniqueHandle m_thread;
    DWORD m_id = 0;
    std::atomic<uint64_t> m_apcs_sent = 0;
    std::atomic<uint64_t> m_apcs = 0;
    std::atomic<uint64_t> m_messages_sent = 0;
    std::atomic<uint64_t> m_messages = 0;
};

/// A thread that takes tokens, each time by another kind of wait.
class Taker {
public:
    /// `goes_to_host`: there may be waits that have the events go there.
    Taker(const Slots& slots, HANDLE more, const HostObjects& others, bool goes_to_host,
        unsigned seed, Activity& activity);

    void run();
    void wait_until_it_has_begun() const;
    Mail& mail() { return m_mail; }
    const Mail& mail() const { return m_mail; }

private:
    struct Way {
        const char* what;
        bool (Taker::*take)();
    };
    static const std::array<Way, 12> kWays;
    static constexpr size_t kWaysInProcess = 10; // the first ones

    bool take_one();
    bool take_one_in_time();
    bool take_one_alertably();
    bool take_one_by_winsock();
    bool take_any();
    bool take_any_with_others();
    bool take_two();
    bool take_any_or_message();
    bool take_after_signal();
    bool take_on_pool();
    bool take_two_with_others();
    bool take_all_or_message();

    HANDLE event(unsigned i) const { return m_slots[i]->event(); }
    std::array<HANDLE, kSlots> events() const;
    bool take_of(DWORD result, const char* what);
    bool take_both(unsigned first, unsigned second);

    const Slots& m_slots;
    const HANDLE m_more;
    const HostObjects& m_others;
    const bool m_goes_to_host;
    Dice m_dice;
    Activity& m_activity;
    UniqueEvent m_done;
    Mail m_mail;
    std::atomic<bool> m_has_begun = false;
};

/// A thread that waits for an event together with one that is set at the end only. It may be
/// suspended or terminated.
class Bystander {
public:
    explicit Bystander(Slot& slot);
    Bystander(const Bystander&) = delete;
    /// Waits for its end.
    ~Bystander();

    HANDLE thread() const { return m_thread.get(); }
    /// Has it had time to get into the wait of the kernel? (Wine holds locks of its own on the way
    /// there, and they stay held when the thread is terminated.)
    bool is_surely_waiting() const { return now() - m_begin > 0.1; }
    void terminate();
    /// Ends its wait as soon as the slot has something.
    void release();

private:
    static DWORD WINAPI run(void* self);

    Slot& m_slot;
    const double m_begin = now();
    UniqueEvent m_release;
    UniqueHandle m_thread;
};

/// This program again, with duplicates of the events: it sets one when it is asked.
class Child {
public:
    explicit Child(const Slots& slots);
    Child(const Child&) = delete;
    ~Child();
    HANDLE event_that_sets(unsigned i) const { return m_asks[i].get(); }

    /// What it does.
    static int run();

private:
    struct Handles {
        HANDLE asks[kSlots + 1]; // the last one ends it
        HANDLE events[kSlots];
    };
    HANDLE duplicate(HANDLE handle) const;

    std::array<UniqueEvent, kSlots + 1> m_asks;
    UniqueHandle m_process;
};

} // namespace stress
