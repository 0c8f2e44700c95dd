#include "shared_events.h"

#include <cstdio>

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
