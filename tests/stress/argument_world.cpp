#include "argument_world.h"

#include <windows.h>
#include <ws2spi.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <vector>

namespace stress {

namespace {

template <typename T, size_t N> T one_of(Dice& dice, const T (&choices)[N])
{
    return choices[dice.below(N)];
}

uintptr_t as_argument(const void* pointer)
{
    return reinterpret_cast<uintptr_t>(pointer);
}

HANDLE duplicate(HANDLE handle)
{
    HANDLE copy = nullptr;
    const HANDLE self = GetCurrentProcess();
    require(DuplicateHandle(self, handle, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
        "duplicating a handle");
    return copy;
}

void CALLBACK note_completion(DWORD, DWORD, WSAOVERLAPPED*, DWORD)
{
}

int CALLBACK accept_or_not(
    WSABUF* caller, WSABUF*, QOS*, QOS*, WSABUF*, WSABUF*, unsigned*, DWORD_PTR)
{
    return caller && caller->len % 3 ? CF_REJECT : CF_ACCEPT;
}

BOOL WSAAPI go_on(void*, void* context)
{
    return reinterpret_cast<uintptr_t>(context) % 64 != 0;
}

void CALLBACK note_apc(ULONG_PTR)
{
}

/// No name that would be asked for on the network: what it answers is not what this is about.
constexpr std::string_view kNames[] = { "", "localhost", "127.0.0.1", "::1", "[::1]:80", "[::1",
    "1.2.3", "0x7f.1", "a..b", ".", "*", "0", "fe80::1%5", "::ffff:1.2.3.4", "127.0.0.1:80", "[",
    "]", "::1%", "255.255.255.255.255",
    "this-label-is-longer-than-the-sixty-three-characters-that-a-label-may-have.test" };
constexpr std::string_view kServices[] = { "", "80", "http", "domain", "tcp", "udp", "65535",
    "65536", "-1", "99999999999999999999", "nosuchservice", "0x50", " 80" };

/// Most blocks are smaller.
constexpr unsigned kBlock = 700;

constexpr uint32_t kNumbers[] = { 0, 1, 2, 3, 4, 7, 8, 16, 28, 64, 1024, 4096, 0x10000, 0x7FFFFFFE,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF };
constexpr int kLevels[] = { SOL_SOCKET, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IP, IPPROTO_IPV6 };
/// Options that not every winsock2.h has a name for: SO_BSP_STATE and what came after it.
constexpr int kNewSocketOptions[] = { 0x1009, 0x3005, 0x3006, 0x3007, 0x3008 };
constexpr int kSocketOptions[]
    = { SO_DEBUG, SO_ACCEPTCONN, SO_REUSEADDR, SO_KEEPALIVE, SO_DONTROUTE, SO_BROADCAST, SO_LINGER,
          SO_OOBINLINE, SO_DONTLINGER, SO_EXCLUSIVEADDRUSE, SO_SNDBUF, SO_RCVBUF, SO_SNDLOWAT,
          SO_RCVLOWAT, SO_SNDTIMEO, SO_RCVTIMEO, SO_ERROR, SO_TYPE, SO_GROUP_ID, SO_GROUP_PRIORITY,
          SO_MAX_MSG_SIZE, SO_PROTOCOL_INFOA, SO_PROTOCOL_INFOW, SO_CONDITIONAL_ACCEPT,
          SO_UPDATE_ACCEPT_CONTEXT, SO_UPDATE_CONNECT_CONTEXT, SO_CONNECT_TIME, SO_OPENTYPE };
constexpr DWORD kIoctls[]
    = { FIONBIO, FIONREAD, SIOCATMARK, FIOASYNC, SIO_GET_EXTENSION_FUNCTION_POINTER,
          SIO_BASE_HANDLE, SIO_KEEPALIVE_VALS, SIO_UDP_CONNRESET, SIO_LOOPBACK_FAST_PATH,
          SIO_ENABLE_CIRCULAR_QUEUEING, SIO_MULTIPOINT_LOOPBACK, SIO_MULTICAST_SCOPE, SIO_GET_QOS,
          SIO_GET_BROADCAST_ADDRESS, SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_SORT,
          SIO_ROUTING_INTERFACE_QUERY, SIO_GET_INTERFACE_LIST, SIO_FLUSH, SIO_TRANSLATE_HANDLE,
          SIO_RCVALL, _WSAIORW(IOC_VENDOR, 39), _WSAIOW(IOC_VENDOR, 21), _WSAIORW(IOC_VENDOR, 100),
          _WSAIOW(IOC_VENDOR, 101), _WSAIOW(IOC_VENDOR, 102), _WSAIOR(IOC_WS2, 123) };

} // namespace

ArgumentWorld::ArgumentWorld(uint64_t seed)
    : m_dice(seed)
    , m_window(CreateWindowExW(
          0, L"STATIC", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, nullptr, nullptr, nullptr))
    , m_table(m_helpers.make_table())
{
    std::fill(m_sockets.begin(), m_sockets.end(), INVALID_SOCKET);
    m_result_room = VirtualAlloc(nullptr, 1, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    require(m_result_room != nullptr, "reserving memory");
    make_handles();
}

ArgumentWorld::~ArgumentWorld()
{
    rescue();
    m_helpers.end_table(m_table); // before the memory of its contexts
    for (const HANDLE handle : m_handles)
        CloseHandle(handle);
    if (m_window)
        DestroyWindow(m_window);
    VirtualFree(m_result_room, 0, MEM_RELEASE);
}

void ArgumentWorld::make_handles()
{
    HANDLE ends[2] = {};
    std::array<wchar_t, MAX_PATH> program;
    GetModuleFileNameW(nullptr, program.data(), program.size());
    require(CreatePipe(&ends[0], &ends[1], nullptr, 0), "making a pipe");
    m_handles = { CreateEventW(nullptr, TRUE, FALSE, nullptr),
        CreateEventW(nullptr, FALSE, TRUE, nullptr), CreateMutexW(nullptr, FALSE, nullptr),
        CreateSemaphoreW(nullptr, 1, 9, nullptr), duplicate(GetCurrentThread()), ends[0], ends[1],
        CreateFileW(program.data(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
            FILE_FLAG_OVERLAPPED, nullptr),
        CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1) };
    for (const HANDLE handle : m_handles)
        require(handle && handle != INVALID_HANDLE_VALUE, "making handles");
    close_handle_for_good();
}

/// Makes m_closed a value that nothing gets again. One that is free would soon be another thread's
/// event, and setting it an error of the storm; under Wine it may even be what a request is waited
/// for with while the host works on it, and whoever waits there as well takes its end away. Free
/// values are given lowest first.
void ArgumentWorld::close_handle_for_good()
{
    std::vector<HANDLE> copies(1000);
    for (HANDLE& copy : copies)
        copy = duplicate(m_handles[0]);
    for (const HANDLE copy : copies)
        CloseHandle(copy);
    m_closed = *std::max_element(copies.begin(), copies.end());
}

void ArgumentWorld::make_connection(size_t slot)
{
    bench::UniqueSocket client;
    bench::UniqueSocket server;
    require(bench::connect_pair(client, server), "making a connection");
    if (m_dice.below(2))
        bench::set_nonblocking(client.get(), false);
    m_sockets[slot] = client.release();
    if (const SOCKET before = m_sockets[slot + 1].exchange(server.release());
        before != INVALID_SOCKET)
        closesocket(before);
}

void ArgumentWorld::make_socket(size_t slot)
{
    const auto tcp = [](int family, DWORD flags) {
        return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, flags);
    };
    const auto udp = [](int family) { return socket(family, SOCK_DGRAM, IPPROTO_UDP); };
    SOCKET made = INVALID_SOCKET;
    sockaddr_in address = bench::loopback_address(0);
    switch (slot) {
    case 0:
    case 1:
        made = bench::listen_on_loopback(m_listener);
        break;
    case 2:
    case 3:
        made = bench::bind_udp_on_loopback(m_datagram);
        break;
    case 4:
        made = tcp(AF_INET, WSA_FLAG_OVERLAPPED);
        break;
    case 5:
        made = tcp(AF_INET, 0);
        break;
    case 6:
        made = tcp(AF_INET6, WSA_FLAG_OVERLAPPED);
        break;
    case 7:
        made = udp(AF_INET6);
        break;
    case 8: // bound
        made = tcp(AF_INET, WSA_FLAG_OVERLAPPED);
        bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
        break;
    case 9: // connected to a datagram socket
        made = udp(AF_INET);
        connect(made, reinterpret_cast<const sockaddr*>(&m_datagram), sizeof(m_datagram));
        break;
    default:
        // The second of a pair stays without the first for a while: its peer is closed.
        if (slot % 2 == 0)
            make_connection(slot);
        return;
    }
    require(made != INVALID_SOCKET, "making a socket");
    bench::set_nonblocking(made, m_dice.below(2));
    m_sockets[slot] = made;
}

void ArgumentWorld::prepare()
{
    for (size_t slot = 0; slot < kSockets; ++slot) {
        const bool is_due = m_dice.below(400) == 0;
        if (is_due) {
            const SOCKET old = m_sockets[slot].exchange(INVALID_SOCKET);
            if (old != INVALID_SOCKET)
                closesocket(old);
        }
        if (m_sockets[slot] == INVALID_SOCKET)
            make_socket(slot);
    }
    m_memory.shuffle(m_dice);
    m_result = nullptr;
    m_new_handle = nullptr;
    SleepEx(0, TRUE); // routines of requests
}

void ArgumentWorld::rescue()
{
    for (std::atomic<SOCKET>& slot : m_sockets) {
        const SOCKET socket = slot.exchange(INVALID_SOCKET);
        if (socket != INVALID_SOCKET)
            closesocket(socket);
    }
}

void* ArgumentWorld::block(size_t size)
{
    return m_dice.below(4) ? m_memory.place(m_dice, size) : m_memory.bad_place(m_dice);
}

void* ArgumentWorld::give(const void* value, size_t size)
{
    if (!m_dice.below(5))
        return m_memory.bad_place(m_dice);
    void* const place = m_memory.good_place(m_dice, size);
    std::memcpy(place, value, size);
    return place;
}

uint32_t ArgumentWorld::draw_number()
{
    return m_dice.below(8) ? one_of(m_dice, kNumbers) : static_cast<uint32_t>(m_dice.next());
}

SOCKET ArgumentWorld::draw_socket()
{
    return m_dice.below(8) ? m_sockets[m_dice.below(kSockets)].load()
                           : reinterpret_cast<SOCKET>(draw_handle());
}

HANDLE ArgumentWorld::draw_handle()
{
    const HANDLE handle = m_handles[m_dice.below(m_dice.below(2) ? 2 : kHandles)];
    const auto value = reinterpret_cast<uintptr_t>(handle);
    switch (m_dice.below(12)) {
    case 0:
        return reinterpret_cast<HANDLE>(value + 1 + m_dice.below(3)); // the same handle
    case 1: {
        // Pseudo handles, none, and values that were never given out.
        const intptr_t values[] = { 0, -1, -2, -3, -4, -5, -6, 1, 0x7FFFFFF0, INTPTR_MIN };
        return reinterpret_cast<HANDLE>(one_of(m_dice, values));
    }
    case 2:
        return m_closed;
    case 3:
        return reinterpret_cast<HANDLE>(m_sockets[m_dice.below(kSockets)].load());
    default:
        return handle;
    }
}

uintptr_t ArgumentWorld::draw_closing(bool is_event)
{
    m_closing_socket = INVALID_SOCKET;
    m_closing_event = nullptr;
    switch (m_dice.below(3)) {
    case 0: {
        const uintptr_t values[] = { 0, 1, ~uintptr_t { 0 }, 0x7FFFFFF0 };
        return one_of(m_dice, values);
    }
    case 1:
        if (!is_event) {
            m_closing_socket = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
            return m_closing_socket;
        }
        [[fallthrough]];
    default:
        // closesocket has to leave it alone, WSACloseEvent closes whatever it is.
        m_closing_event = duplicate(m_handles[m_dice.below(kHandles)]);
        return as_argument(m_closing_event);
    }
}

void ArgumentWorld::settle_closing(bool was_closed)
{
    if (m_closing_socket != INVALID_SOCKET && !was_closed)
        closesocket(m_closing_socket);
    if (m_closing_event && !was_closed)
        CloseHandle(m_closing_event);
    m_closing_socket = INVALID_SOCKET;
    m_closing_event = nullptr;
}

void ArgumentWorld::settle_new_handle()
{
    if (m_new_handle)
        CloseHandle(*m_new_handle);
    m_new_handle = nullptr;
}

uint32_t ArgumentWorld::draw_option()
{
    // Below the socket level options are small numbers.
    switch (m_dice.below(6)) {
    case 0:
    case 1:
        return m_dice.below(80);
    case 2:
        return static_cast<uint32_t>(one_of(m_dice, kNewSocketOptions));
    default:
        return static_cast<uint32_t>(one_of(m_dice, kSocketOptions));
    }
}

uint32_t ArgumentWorld::draw_ioctl()
{
    return m_dice.below(8) ? one_of(m_dice, kIoctls) : static_cast<uint32_t>(m_dice.next());
}

void* ArgumentWorld::draw_text(bool is_wide, bool is_service, bool is_good)
{
    const std::string_view text = is_service ? one_of(m_dice, kServices) : one_of(m_dice, kNames);
    const size_t size = is_wide ? sizeof(wchar_t) : 1;
    // Without its end, right before what is not mapped.
    const bool is_endless = !is_good && text.size() && !m_dice.below(8);
    const size_t bytes = (text.size() + !is_endless) * size;
    if (!is_good && !m_dice.below(5))
        return m_memory.bad_place(m_dice);
    char* const place = static_cast<char*>(
        is_endless ? m_memory.end() - bytes : m_memory.good_place(m_dice, bytes));
    std::memset(place, 0, bytes);
    for (size_t i = 0; i < text.size(); ++i)
        place[i * size] = text[i];
    return place;
}

void* ArgumentWorld::draw_address()
{
    union {
        sockaddr_in ipv4;
        sockaddr_in6 ipv6;
    } address = {};
    // Of this machine only: nothing of the storm goes to another one.
    const uint32_t hosts[] = { INADDR_LOOPBACK, INADDR_LOOPBACK, INADDR_ANY, 0x7F010203 };
    const u_short ports[] = { m_listener.sin_port, m_datagram.sin_port, 0, htons(1) };
    if (m_dice.below(3)) {
        address.ipv4.sin_family = AF_INET;
        address.ipv4.sin_addr.s_addr = htonl(one_of(m_dice, hosts));
        address.ipv4.sin_port = one_of(m_dice, ports);
    } else {
        address.ipv6.sin6_family = AF_INET6;
        address.ipv6.sin6_port = one_of(m_dice, ports);
        address.ipv6.sin6_addr.s6_addr[15] = static_cast<UCHAR>(m_dice.below(2));
        address.ipv6.sin6_scope_id = m_dice.below(2) ? 0 : draw_number();
    }
    if (!m_dice.below(6))
        address.ipv4.sin_family = static_cast<short>(draw_number());
    return give(address);
}

void* ArgumentWorld::draw_buffers()
{
    WSABUF buffers[4];
    for (WSABUF& buffer : buffers) {
        buffer.len = m_dice.below(3) ? m_dice.below(200) : draw_number();
        buffer.buf = static_cast<char*>(block(buffer.len));
    }
    return give(buffers);
}

void* ArgumentWorld::draw_message()
{
    WSAMSG message = {};
    message.name = static_cast<sockaddr*>(draw_address());
    message.namelen = static_cast<INT>(
        m_dice.below(3) ? sizeof(sockaddr_in) + 12 * m_dice.below(2) : draw_number());
    message.lpBuffers = static_cast<WSABUF*>(draw_buffers());
    message.dwBufferCount = m_dice.below(3) ? m_dice.below(5) : draw_number();
    message.Control.len = m_dice.below(3) ? m_dice.below(100) : draw_number();
    message.Control.buf = static_cast<char*>(block(message.Control.len));
    // A control message that seems one gets past the first check of them.
    const WSACMSGHDR header = { m_dice.below(2) ? 24 : draw_number(), one_of(m_dice, kLevels),
        static_cast<INT>(m_dice.below(60)) };
    if (m_dice.below(2))
        message.Control.buf = static_cast<char*>(give(header));
    message.dwFlags = m_dice.below(2) ? 0 : draw_number();
    return give(message);
}

void* ArgumentWorld::draw_set(bool is_good)
{
    fd_set set = {};
    set.fd_count = is_good || m_dice.below(6) ? m_dice.below(6) : draw_number();
    for (unsigned i = 0; i < 6; ++i)
        set.fd_array[i] = draw_socket();
    if (is_good)
        return std::memcpy(m_memory.good_place(m_dice, sizeof(set)), &set, sizeof(set));
    return m_dice.below(3) ? give(set) : nullptr;
}

void* ArgumentWorld::draw_polls()
{
    WSAPOLLFD polls[5];
    for (WSAPOLLFD& poll : polls) {
        poll.fd = draw_socket();
        poll.events = static_cast<SHORT>(m_dice.below(2) ? POLLIN | POLLOUT : draw_number());
        poll.revents = static_cast<SHORT>(draw_number());
    }
    return give(polls);
}

void* ArgumentWorld::draw_events()
{
    WSAEVENT events[5];
    for (WSAEVENT& event : events)
        event = draw_handle();
    return give(events);
}

void* ArgumentWorld::draw_guid()
{
    const GUID guids[] = { WSAID_ACCEPTEX, WSAID_CONNECTEX, WSAID_DISCONNECTEX, WSAID_TRANSMITFILE,
        WSAID_WSARECVMSG,
        { 0xe70f1aa0, 0xab8b, 0x11cf, { 0x8c, 0xa3, 0, 0x80, 0x5f, 0x48, 0xa1, 0x92 } } };
    return give(one_of(m_dice, guids));
}

void* ArgumentWorld::draw_hints(size_t size)
{
    // Up to the protocol both forms, and those of GetAddrInfoEx, are alike.
    static_assert(offsetof(addrinfo, ai_protocol) == offsetof(addrinfoExW, ai_protocol));
    addrinfoExW hints = {};
    hints.ai_flags = static_cast<int>(m_dice.below(2) ? AI_NUMERICHOST : draw_number());
    hints.ai_family = static_cast<int>(draw(Kind::kFamily, true));
    hints.ai_socktype = static_cast<int>(m_dice.below(5));
    hints.ai_protocol = static_cast<int>(m_dice.below(20));
    if (!m_dice.below(6))
        hints.ai_next = static_cast<decltype(hints.ai_next)>(m_memory.bad_place(m_dice));
    return m_dice.below(3) ? nullptr : give(&hints, size);
}

void* ArgumentWorld::draw_address_list()
{
    SOCKET_ADDRESS addresses[3];
    for (SOCKET_ADDRESS& address : addresses)
        address = { static_cast<sockaddr*>(draw_address()),
            static_cast<INT>(draw(Kind::kAddressLength, false)) };
    // The list has one of them in it.
    std::array<char, sizeof(SOCKET_ADDRESS_LIST) + 2 * sizeof(SOCKET_ADDRESS)> list = {};
    const auto count = static_cast<INT>(m_dice.below(4) ? m_dice.below(4) : draw_number());
    std::memcpy(list.data(), &count, sizeof(count));
    std::memcpy(list.data() + offsetof(SOCKET_ADDRESS_LIST, Address), addresses, sizeof(addresses));
    return give(list);
}

void* ArgumentWorld::draw_elements()
{
    TRANSMIT_PACKETS_ELEMENT elements[4] = {};
    for (TRANSMIT_PACKETS_ELEMENT& element : elements) {
        element.dwElFlags = m_dice.below(5) ? 1 + m_dice.below(7) : draw_number();
        element.cLength = m_dice.below(3) ? m_dice.below(200) : draw_number();
        if (element.dwElFlags & TP_ELEMENT_FILE) {
            element.hFile = draw_handle();
            element.nFileOffset.QuadPart
                = m_dice.below(2) ? m_dice.below(100) : static_cast<LONGLONG>(m_dice.next());
        } else {
            element.pBuffer = block(element.cLength);
        }
    }
    return give(elements);
}

void* ArgumentWorld::draw_overlapped()
{
    if (m_dice.below(2))
        return nullptr;
    WSAOVERLAPPED overlapped = {};
    const auto event = reinterpret_cast<uintptr_t>(draw_handle());
    overlapped.hEvent = reinterpret_cast<HANDLE>(m_dice.below(2) ? event : event | 1);
    if (m_dice.below(3) == 0)
        overlapped.Offset = draw_number();
    return give(overlapped);
}

void* ArgumentWorld::draw_input()
{
    // Numbers and GUIDs are what most calls look for in a block.
    switch (m_dice.below(4)) {
    case 0:
        return draw_guid();
    case 1:
        return give(draw_number());
    case 2:
        return give(uint32_t { m_dice.below(3) });
    default:
        return block(m_dice.below(kBlock));
    }
}

HANDLE ArgumentWorld::draw_helper()
{
    switch (m_dice.below(5)) {
    case 0:
        return draw_handle();
    case 1:
    case 2:
        return m_helpers.of_notifications();
    default:
        return m_helpers.of_apcs();
    }
}

void* ArgumentWorld::draw_thread(HANDLE handle)
{
    return give(WSATHREADID { handle, 0 });
}

void* ArgumentWorld::draw_table()
{
    return m_dice.below(4) ? m_table : block(kBlock);
}

void* ArgumentWorld::draw_new_handle()
{
    if (!m_dice.below(6))
        return m_memory.bad_place(m_dice);
    m_new_handle = static_cast<HANDLE*>(m_result_room) + 1;
    *m_new_handle = nullptr;
    return m_new_handle;
}

void* ArgumentWorld::draw_notification()
{
    // In the place of a new handle all the same: where arguments are, another one may overwrite the
    // handle, and the new one that is then made there would be lost.
    void* const place = draw_new_handle();
    const HANDLE before = m_dice.below(2) ? draw_handle() : nullptr;
    if (m_new_handle && before) {
        *m_new_handle = before;
        m_new_handle = nullptr;
    }
    return place;
}

uintptr_t ArgumentWorld::draw(Kind kind, bool is_good)
{
    switch (kind) {
    case Kind::kSocket:
        return draw_socket();
    case Kind::kClosing:
        return draw_closing(false);
    case Kind::kClosingEvent:
        return draw_closing(true);
    case Kind::kHandle:
        return as_argument(draw_handle());
    case Kind::kFile:
        return as_argument(m_dice.below(2) ? m_handles[7] : draw_handle());
    case Kind::kWindow:
        return m_dice.below(2) ? as_argument(m_window) : m_dice.below(2) ? 0 : 0x123450;
    case Kind::kLookup:
    case Kind::kNumber:
        return draw_number();
    case Kind::kCount:
        return m_dice.below(4) ? m_dice.below(5) : draw_number();
    case Kind::kLength:
        return m_dice.below(2) ? m_dice.below(200) : draw_number();
    case Kind::kAddressLength:
        return m_dice.below(4) ? (m_dice.below(2) ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))
                               : draw_number();
    case Kind::kFlags:
        return m_dice.below(2) ? 0 : m_dice.below(2) ? m_dice.below(256) : draw_number();
    case Kind::kTimeout:
        return m_dice.below(3);
    case Kind::kProcess:
        return m_dice.below(2) ? GetCurrentProcessId() : draw_number() | 1;
    case Kind::kFamily: {
        const int families[] = { AF_INET, AF_INET6, AF_UNSPEC, AF_IPX, 1, 99, -1 };
        return static_cast<uintptr_t>(families[m_dice.below(m_dice.below(2) ? 2 : 7)]);
    }
    case Kind::kType:
        return m_dice.below(6) ? m_dice.below(4) : draw_number();
    case Kind::kProtocol: {
        const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 255, 256, -1 };
        return static_cast<uintptr_t>(one_of(m_dice, protocols));
    }
    case Kind::kLevel:
        return static_cast<uintptr_t>(m_dice.below(8) ? one_of(m_dice, kLevels) : 77);
    case Kind::kOption:
        return draw_option();
    case Kind::kIoctl:
        return draw_ioctl();
    case Kind::kIoctlCommand:
        return m_dice.below(4) ? kIoctls[m_dice.below(4)] : draw_ioctl();
    case Kind::kIn:
        return as_argument(is_good ? m_memory.good_place(m_dice, kBlock) : draw_input());
    case Kind::kOut:
        return as_argument(
            is_good ? m_memory.good_place(m_dice, kBlock) : block(m_dice.below(kBlock)));
    case Kind::kLengthPointer:
        return as_argument(give(m_dice.below(2) ? m_dice.below(1000) : draw_number()));
    case Kind::kText:
        return as_argument(draw_text(false, false, is_good));
    case Kind::kWideText:
        return as_argument(draw_text(true, false, is_good));
    case Kind::kService:
        return as_argument(draw_text(false, true, is_good));
    case Kind::kWideService:
        return as_argument(draw_text(true, true, is_good));
    case Kind::kAddress:
        return as_argument(draw_address());
    case Kind::kBuffers:
        return as_argument(draw_buffers());
    case Kind::kMessage:
        return as_argument(draw_message());
    case Kind::kOverlapped:
        return as_argument(draw_overlapped());
    case Kind::kRoutine:
        return m_dice.below(3) ? 0 : reinterpret_cast<uintptr_t>(&note_completion);
    case Kind::kCondition:
        return m_dice.below(2) ? 0 : reinterpret_cast<uintptr_t>(&accept_or_not);
    case Kind::kTimeval: {
        // At once, soon, or nothing that is a time. None would mean for ever.
        const timeval times[] = { { 0, 0 }, { 0, 900 }, { -1, 0 }, { 0, -1 }, { 0, 3000000 } };
        void* const place = give(one_of(m_dice, times));
        return as_argument(place ? place : m_memory.end());
    }
    case Kind::kFdSet:
        return as_argument(draw_set(is_good));
    case Kind::kPolls:
        return as_argument(draw_polls());
    case Kind::kEvents:
        return as_argument(draw_events());
    case Kind::kGuid:
        return as_argument(draw_guid());
    case Kind::kHints:
        return as_argument(draw_hints(sizeof(addrinfo)));
    case Kind::kWideHints:
        return as_argument(draw_hints(sizeof(addrinfoW)));
    case Kind::kExtendedHints:
        return as_argument(draw_hints(sizeof(addrinfoExW)));
    case Kind::kAddressList:
        return as_argument(draw_address_list());
    case Kind::kFiles:
        return as_argument(draw_elements());
    case Kind::kNotification:
        return as_argument(draw_notification());
    case Kind::kNewHandle:
        return as_argument(draw_new_handle());
    case Kind::kHelper:
        return as_argument(draw_helper());
    case Kind::kThread:
        return as_argument(draw_thread(draw_handle()));
    case Kind::kClosingThread:
        m_closing_event = duplicate(m_handles[m_dice.below(kHandles)]);
        return as_argument(draw_thread(m_closing_event));
    case Kind::kTable:
        return as_argument(draw_table());
    case Kind::kClosingTable:
        return as_argument(m_dice.below(2) ? m_helpers.make_table() : block(kBlock));
    case Kind::kEnumerator:
        return m_dice.below(8) ? reinterpret_cast<uintptr_t>(&go_on) : 0;
    case Kind::kApc:
        return m_dice.below(8) ? reinterpret_cast<uintptr_t>(&note_apc) : 0;
    case Kind::kReserved:
        return m_dice.below(16) ? 0 : as_argument(block(kBlock));
    case Kind::kResult:
        m_result = nullptr;
        if (!m_dice.below(6))
            return as_argument(m_memory.bad_place(m_dice));
        m_result = static_cast<void**>(m_result_room);
        *m_result = nullptr;
        return as_argument(m_result);
    case Kind::kNull:
        return 0;
    }
    return 0;
}

} // namespace stress
