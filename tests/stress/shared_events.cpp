#include "shared_events.h"

#include <cstdio>
#include <iterator>

namespace stress {

// --- Tokens

More::More()
    : m_event(CreateEventW(nullptr, FALSE, FALSE, nullptr))
{
    sockaddr_in address;
    m_socket.reset(bench::bind_udp_on_loopback(address));
    require(m_event.is_valid() && !WSAEventSelect(m_socket.get(), m_event.get(), FD_READ),
        "making an event that a socket has selected");
}

Slot::Slot(Activity& activity, bool is_manual, const More& more)
    : m_activity(activity)
    , m_is_manual(is_manual)
    , m_more(more.get())
    , m_event(is_manual ? WSACreateEvent() : CreateEventW(nullptr, FALSE, FALSE, nullptr))
    , m_socket(bench::bind_udp_on_loopback(m_address))
{
    require(m_event.is_valid() && !WSAEventSelect(m_socket.get(), m_event.get(), FD_READ),
        "making an event that a socket has selected");
    m_activity.doing("empty");
}

void Slot::announce(Token token)
{
    require(m_token.exchange(token) == Token::None, "a token is given to a slot that has one");
    m_activity.doing("given, and nobody has taken it yet");
}

void Slot::give_by(HANDLE event)
{
    announce(Token::Set);
    require(SetEvent(event), "SetEvent");
}

void Slot::give_by_datagram(SOCKET sender)
{
    announce(Token::Datagram);
    require(
        sendto(sender, "t", 1, 0, reinterpret_cast<const sockaddr*>(&m_address), sizeof(m_address))
            == 1,
        "sendto");
}

void Slot::end()
{
    m_is_over = true;
    require(SetEvent(event()), "SetEvent");
}

bool Slot::take()
{
    Token token = m_token;
    const bool is_given = token == Token::Set || token == Token::Datagram;
    const bool is_taken = is_given && m_token.compare_exchange_strong(token, Token::BeingTaken);
    if (is_taken)
        take(token);
    if (m_is_over)
        require(SetEvent(event()), "SetEvent"); // for the others
    else if (!is_taken)
        ++g_told_twice;
    return is_taken || !m_is_over;
}

void Slot::take(Token token)
{
    if (m_is_manual)
        require(ResetEvent(event()), "ResetEvent");
    if (token == Token::Datagram)
        receive();
    ++m_taken;
    m_activity.doing("empty");
    m_token = Token::None;
    require(SetEvent(m_more), "SetEvent");
}

void Slot::receive()
{
    WSANETWORKEVENTS record;
    char byte;
    require(
        !WSAEnumNetworkEvents(m_socket.get(), nullptr, &record) && record.lNetworkEvents == FD_READ,
        "the record of a datagram that an event has told of");
    require(recv(m_socket.get(), &byte, 1, 0) == 1, "a datagram that an event has told of");
}

UniqueSocket make_sender()
{
    sockaddr_in address;
    UniqueSocket socket(bench::bind_udp_on_loopback(address));
    require(socket.is_valid(), "making a socket");
    return socket;
}

// --- What the host has

HostObjects::HostObjects()
    : m_mutex(CreateMutexW(nullptr, TRUE, nullptr))
    , m_semaphore(CreateSemaphoreW(nullptr, 1 << 30, 1 << 30, nullptr))
{
    char name[64];
    std::snprintf(name, sizeof(name), "\\\\.\\pipe\\shared_events.%lu.%p", GetCurrentProcessId(),
        static_cast<void*>(this));
    m_pipe.reset(CreateNamedPipeA(name, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED,
        PIPE_TYPE_BYTE | PIPE_WAIT, 1, 0, 64, 0, nullptr));
    m_other_end.reset(CreateFileA(name, GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr));
    require(m_mutex && m_semaphore && m_other_end.get() != INVALID_HANDLE_VALUE
            && !ReadFile(m_pipe.get(), &m_byte, 1, nullptr, &m_read)
            && GetLastError() == ERROR_IO_PENDING,
        "making objects of the host");
}

HostObjects::~HostObjects()
{
    DWORD moved;
    CancelIo(m_pipe.get());
    GetOverlappedResult(m_pipe.get(), &m_read, &moved, TRUE);
}

// --- What interrupts

void Mail::open()
{
    MSG message;
    PeekMessageW(&message, nullptr, WM_USER, WM_USER, PM_NOREMOVE); // makes the queue
    m_id = GetCurrentThreadId();
    m_thread.reset(OpenThread(THREAD_SET_CONTEXT | THREAD_SUSPEND_RESUME, FALSE, m_id));
    require(m_thread != nullptr, "OpenThread");
}

void Mail::run_apc(ULONG_PTR mail)
{
    ++reinterpret_cast<Mail*>(mail)->m_apcs;
}

void Mail::send_apc()
{
    if (m_apcs_sent - m_apcs >= kMostUnderWay)
        return;
    ++m_apcs_sent;
    require(
        QueueUserAPC(run_apc, m_thread.get(), reinterpret_cast<ULONG_PTR>(this)), "QueueUserAPC");
}

void Mail::send_message()
{
    if (m_messages_sent - m_messages >= kMostUnderWay)
        return;
    ++m_messages_sent;
    require(PostThreadMessageW(m_id, WM_APP, 0, 0), "PostThreadMessage");
}

void Mail::receive_messages()
{
    MSG message;
    while (PeekMessageW(&message, nullptr, 0, 0, PM_REMOVE))
        m_messages += message.message == WM_APP;
}

void Mail::receive_rest()
{
    while (SleepEx(0, TRUE) == WAIT_IO_COMPLETION) { }
    receive_messages();
}

// --- Takers

const std::array<Taker::Way, 12> Taker::kWays = { {
    { "waiting for one event", &Taker::take_one },
    { "waiting for one event, with a time-out", &Taker::take_one_in_time },
    { "waiting for one event alertably", &Taker::take_one_alertably },
    { "waiting for one event by Winsock", &Taker::take_one_by_winsock },
    { "waiting for any event", &Taker::take_any },
    { "waiting for any event, a mutex or a pipe", &Taker::take_any_with_others },
    { "waiting for two events", &Taker::take_two },
    { "waiting for any event or a message", &Taker::take_any_or_message },
    { "signaling an object and waiting", &Taker::take_after_signal },
    { "waiting for a callback of the thread pool", &Taker::take_on_pool },
    { "waiting for two events and a semaphore", &Taker::take_two_with_others },
    { "waiting for an event together with a message", &Taker::take_all_or_message },
} };

Taker::Taker(const Slots& slots, HANDLE more, const HostObjects& others, bool goes_to_host,
    unsigned seed, Activity& activity)
    : m_slots(slots)
    , m_more(more)
    , m_others(others)
    , m_goes_to_host(goes_to_host)
    , m_dice(seed)
    , m_activity(activity)
    , m_done(WSACreateEvent())
{
    require(m_done.is_valid(), "WSACreateEvent");
}

void Taker::run()
{
    m_mail.open();
    m_has_begun = true;
    for (bool has_more = true; has_more;) {
        // The events are to be in the process for a while before they go.
        const bool may_move = m_goes_to_host && !m_dice.below(50);
        const Way& way
            = kWays[may_move ? kWaysInProcess + m_dice.below(kWays.size() - kWaysInProcess)
                             : m_dice.below(kWaysInProcess)];
        m_activity.doing(way.what);
        has_more = (this->*way.take)();
    }
    m_mail.receive_rest();
    m_activity.doing("finished");
}

void Taker::wait_until_it_has_begun() const
{
    while (!m_has_begun)
        Sleep(1);
}

std::array<HANDLE, kSlots> Taker::events() const
{
    std::array<HANDLE, kSlots> result;
    for (unsigned i = 0; i < kSlots; ++i)
        result[i] = event(i);
    return result;
}

bool Taker::take_of(DWORD result, const char* what)
{
    require(result < WAIT_OBJECT_0 + kSlots, what);
    return m_slots[result - WAIT_OBJECT_0]->take();
}

/// Of two that are over, both are told on.
bool Taker::take_both(unsigned first, unsigned second)
{
    const bool has_more = m_slots[first]->take();
    return m_slots[second]->take() && has_more;
}

bool Taker::take_one()
{
    const unsigned i = m_dice.below(kSlots);
    require(WaitForSingleObject(event(i), INFINITE) == WAIT_OBJECT_0, "WaitForSingleObject");
    return m_slots[i]->take();
}

bool Taker::take_one_in_time()
{
    const unsigned i = m_dice.below(kSlots);
    DWORD result = WAIT_TIMEOUT;
    while (result == WAIT_TIMEOUT)
        result = WaitForSingleObject(event(i), m_dice.below(3));
    require(result == WAIT_OBJECT_0, "WaitForSingleObject with a time-out");
    return m_slots[i]->take();
}

bool Taker::take_one_alertably()
{
    const unsigned i = m_dice.below(kSlots);
    DWORD result = WAIT_IO_COMPLETION;
    while (result == WAIT_IO_COMPLETION)
        result = WaitForSingleObjectEx(event(i), INFINITE, TRUE);
    require(result == WAIT_OBJECT_0, "WaitForSingleObjectEx");
    return m_slots[i]->take();
}

bool Taker::take_one_by_winsock()
{
    const unsigned i = m_dice.below(kSlots);
    const WSAEVENT events[] = { event(i) };
    DWORD result = WSA_WAIT_IO_COMPLETION;
    while (result == WSA_WAIT_IO_COMPLETION)
        result = WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, m_dice.below(2));
    require(result == WSA_WAIT_EVENT_0, "WSAWaitForMultipleEvents");
    return m_slots[i]->take();
}

bool Taker::take_any()
{
    return take_of(
        WaitForMultipleObjects(kSlots, events().data(), FALSE, INFINITE), "WaitForMultipleObjects");
}

bool Taker::take_any_with_others()
{
    const auto mine = events();
    const HANDLE handles[]
        = { m_others.mutex(), mine[0], mine[1], m_others.pipe(), mine[2], mine[3] };
    constexpr unsigned kPlaces[] = { kSlots, 0, 1, kSlots, 2, 3 };
    DWORD result = WAIT_IO_COMPLETION;
    while (result == WAIT_IO_COMPLETION)
        result = WaitForMultipleObjectsEx(
            std::size(handles), handles, FALSE, INFINITE, m_dice.below(2));
    require(result < std::size(handles), "WaitForMultipleObjects with objects of the host");
    return take_of(kPlaces[result], "an object of the host is signaled");
}

bool Taker::take_two()
{
    const unsigned first = m_dice.below(kSlots);
    const unsigned second = (first + 1 + m_dice.below(kSlots - 1)) % kSlots;
    const HANDLE handles[] = { event(first), event(second) };
    require(
        WaitForMultipleObjects(2, handles, TRUE, INFINITE) < 2, "WaitForMultipleObjects for all");
    return take_both(first, second);
}

bool Taker::take_any_or_message()
{
    const auto handles = events();
    for (;;) {
        const DWORD result
            = MsgWaitForMultipleObjects(kSlots, handles.data(), FALSE, INFINITE, QS_ALLINPUT);
        if (result != WAIT_OBJECT_0 + kSlots)
            return take_of(result, "MsgWaitForMultipleObjects");
        m_mail.receive_messages();
    }
}

bool Taker::take_after_signal()
{
    const unsigned i = m_dice.below(kSlots);
    const DWORD result = SignalObjectAndWait(m_more, event(i), INFINITE, FALSE);
    require(result == WAIT_OBJECT_0, "SignalObjectAndWait");
    return m_slots[i]->take();
}

bool Taker::take_on_pool()
{
    struct Callback {
        Slot& slot;
        HANDLE done;
        bool has_more;
        static void CALLBACK run(void* self, BOOLEAN)
        {
            auto* callback = static_cast<Callback*>(self);
            callback->has_more = callback->slot.take();
            require(SetEvent(callback->done), "SetEvent");
        }
    };
    const unsigned i = m_dice.below(kSlots);
    Callback callback { *m_slots[i], m_done.get(), false };
    HANDLE wait;
    require(RegisterWaitForSingleObject(
                &wait, event(i), Callback::run, &callback, INFINITE, WT_EXECUTEONLYONCE),
        "RegisterWaitForSingleObject");
    require(WaitForSingleObject(m_done.get(), INFINITE) == WAIT_OBJECT_0, "WaitForSingleObject");
    require(ResetEvent(m_done.get()), "ResetEvent");
    require(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE), "UnregisterWaitEx");
    return callback.has_more;
}

bool Taker::take_two_with_others()
{
    const unsigned first = m_dice.below(kSlots);
    const unsigned second = (first + 1) % kSlots;
    const HANDLE handles[] = { event(first), m_others.semaphore(), event(second) };
    require(WaitForMultipleObjects(3, handles, TRUE, INFINITE) < 3,
        "WaitForMultipleObjects for all, with a semaphore");
    return take_both(first, second);
}

bool Taker::take_all_or_message()
{
    const unsigned i = m_dice.below(kSlots);
    const HANDLE handles[] = { event(i) };
    // A message of its own: others may not come.
    require(PostThreadMessageW(GetCurrentThreadId(), WM_USER, 0, 0), "PostThreadMessage");
    require(MsgWaitForMultipleObjectsEx(1, handles, INFINITE, QS_ALLINPUT, MWMO_WAITALL) < 2,
        "MsgWaitForMultipleObjectsEx for all");
    m_mail.receive_messages();
    return m_slots[i]->take();
}

// --- Bystanders

Bystander::Bystander(Slot& slot)
    : m_slot(slot)
    , m_release(WSACreateEvent())
    , m_thread(CreateThread(nullptr, 0, run, this, 0, nullptr))
{
    require(m_release.is_valid() && m_thread, "CreateThread");
}

Bystander::~Bystander()
{
    require(WaitForSingleObject(m_thread.get(), INFINITE) == WAIT_OBJECT_0, "waiting for a thread");
}

void Bystander::terminate()
{
    require(TerminateThread(m_thread.get(), 0), "TerminateThread");
}

void Bystander::release()
{
    require(WSASetEvent(m_release.get()), "WSASetEvent");
}

DWORD Bystander::run(void* self)
{
    const auto* bystander = static_cast<Bystander*>(self);
    const HANDLE handles[] = { bystander->m_slot.event(), bystander->m_release.get() };
    require(
        WaitForMultipleObjects(2, handles, TRUE, INFINITE) < 2, "WaitForMultipleObjects for all");
    if (!bystander->m_slot.is_manual()) // else the taker is told, too
        bystander->m_slot.take();
    return 0;
}

// --- The child

Child::Child(const Slots& slots)
{
    SECURITY_ATTRIBUTES inheritable = { sizeof(inheritable), nullptr, TRUE };
    HANDLE input;
    HANDLE output;
    require(CreatePipe(&input, &output, &inheritable, 0)
            && SetHandleInformation(output, HANDLE_FLAG_INHERIT, 0),
        "CreatePipe");
    const UniqueHandle child_input(input);
    const UniqueHandle own_output(output);
    char path[MAX_PATH];
    char command[MAX_PATH + 16];
    require(GetModuleFileNameA(nullptr, path, sizeof(path)), "GetModuleFileName");
    std::snprintf(command, sizeof(command), "\"%s\" --child", path);
    STARTUPINFOA startup = {};
    startup.cb = sizeof(startup);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = input;
    PROCESS_INFORMATION process = {};
    require(CreateProcessA(
                path, command, nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &process),
        "CreateProcess");
    CloseHandle(process.hThread);
    m_process.reset(process.hProcess);

    Handles theirs = {};
    for (unsigned i = 0; i <= kSlots; ++i) {
        m_asks[i].reset(CreateEventW(nullptr, FALSE, FALSE, nullptr));
        theirs.asks[i] = duplicate(m_asks[i].get());
        if (i < kSlots)
            theirs.events[i] = duplicate(slots[i]->event());
    }
    DWORD written;
    require(
        WriteFile(output, &theirs, sizeof(theirs), &written, nullptr) && written == sizeof(theirs),
        "writing to a child");
}

HANDLE Child::duplicate(HANDLE handle) const
{
    HANDLE result;
    require(DuplicateHandle(GetCurrentProcess(), handle, m_process.get(), &result, 0, FALSE,
                DUPLICATE_SAME_ACCESS),
        "DuplicateHandle");
    return result;
}

Child::~Child()
{
    DWORD code = 1;
    require(SetEvent(m_asks[kSlots].get())
            && WaitForSingleObject(m_process.get(), INFINITE) == WAIT_OBJECT_0
            && GetExitCodeProcess(m_process.get(), &code) && !code,
        "the end of a child");
}

int Child::run()
{
    Handles handles;
    DWORD read;
    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), &handles, sizeof(handles), &read, nullptr)
        || read != sizeof(handles))
        return 2;
    for (;;) {
        const DWORD i = WaitForMultipleObjects(kSlots + 1, handles.asks, FALSE, INFINITE);
        if (i == kSlots)
            return 0;
        if (i > kSlots || !SetEvent(handles.events[i]))
            return 3;
    }
}

} // namespace stress
