// Requests to sockets by opcode: no crash, no hang, and after closing everything nothing is left,
// no object, no memory, no descriptor.
//
// Each step takes one byte for the request and more for its parameters. Sockets come from a few
// slots, so that closed, foreign and unfit ones turn up all the time; pointers are good, null, or
// outside the user address space. Addresses are loopback's, with ports of sockets of the run. All
// handles are asynchronous: what would have to wait pends, and is cancelled at the end.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "afd/pump.h"
#include "input.h"
#include "ke/pool.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "ob/handle_table.h"
#include "unit/unit.h"

namespace {

constexpr uint32_t kSockets = 6;
constexpr uint32_t kEvents = 3;
constexpr uint32_t kPorts = 2;
constexpr uint32_t kBlocks = 32;

struct Name {
    uint16_t family = 2;
    uint16_t port = 0; // network order
    uint8_t ip[4] = { 127, 0, 0, 1 };
    uint8_t zero[8] = {};
};

struct WsaBuffer {
    ULONG length;
    void* data;
};

class Player {
public:
    explicit Player(fuzz::Input input)
        : m_input(input)
    {
        for (HANDLE& event : m_events)
            NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
        for (uint32_t i = 0; i < kSockets; ++i)
            open(m_sockets[i], i < 4 ? 1 : 2);
    }
    void play()
    {
        while (!m_input.is_empty())
            step();
    }

private:
    uint8_t byte() { return m_input.byte(); }
    HANDLE& slot() { return m_sockets[byte() % kSockets]; }
    HANDLE socket()
    {
        const uint8_t choice = byte();
        return choice < 0xF8 ? m_sockets[choice % kSockets] : m_events[choice % kEvents];
    }
    HANDLE event()
    {
        const uint8_t choice = byte();
        return choice < 0xF0 ? m_events[choice % kEvents] : m_sockets[choice % kSockets];
    }
    /// `good`, or one of the pointers that must be refused.
    template <typename T> T* pointer(T* good)
    {
        switch (byte()) {
        case 0xFF:
            return nullptr;
        case 0xFE:
            return reinterpret_cast<T*>(uintptr_t { 0x1000 });
        case 0xFC:
            return reinterpret_cast<T*>(~uintptr_t { 7 });
        default:
            return good;
        }
    }
    Name name()
    {
        Name result;
        result.port = m_ports[byte() % kPorts];
        return result;
    }

    static void open(HANDLE& handle, int32_t type)
    {
        static char16_t s_path[] = u"\\Device\\Afd";
        UNICODE_STRING path { sizeof(s_path) - sizeof(char16_t), sizeof(s_path), s_path };
        OBJECT_ATTRIBUTES attributes { sizeof(attributes), nullptr, &path, 0, nullptr, nullptr };
        IO_STATUS_BLOCK iosb;
        NtCreateFile(&handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attributes, &iosb,
            nullptr, 0, 0, FILE_OPEN_IF, 0, nullptr, 0);
        const afd::CreateParams params { 2, type, type == 1 ? 6 : 17, 0 };
        NtDeviceIoControlFile(handle, nullptr, nullptr, nullptr, &iosb, afd::kIoctlCreate,
            const_cast<afd::CreateParams*>(&params), sizeof(params), nullptr, 0);
    }

    /// A request, told in one of the ways there are. What is written may be so until the end of the
    /// run.
    NTSTATUS request(HANDLE file, ULONG code, const void* input, ULONG input_length, void* output,
        ULONG output_length)
    {
        const uint8_t way = byte();
        return NtDeviceIoControlFile(file, way & 1 ? event() : nullptr, way & 2 ? on_io : nullptr,
            way & 4 ? this : nullptr, &m_blocks[m_next_block++ % kBlocks], code,
            pointer(const_cast<void*>(input)), input_length, pointer(output), output_length);
    }

    void step()
    {
        switch (byte() % 18) {
        case 0:
            NtClose(slot());
            break;
        case 1: {
            HANDLE& closed = slot();
            NtClose(closed);
            open(closed, 1 + byte() % 2);
            break;
        }
        case 2:
            bind();
            break;
        case 3: {
            const afd::ListenParams params { 0, byte() % 8, 0 };
            request(socket(), afd::kIoctlListen, &params, sizeof(params), nullptr, 0);
            break;
        }
        case 4:
            connect();
            break;
        case 5:
            accept();
            break;
        case 6:
        case 7:
            receive();
            break;
        case 8:
        case 9:
            send();
            break;
        case 10: {
            const afd::EventSelectParams params { reinterpret_cast<ULONG_PTR>(event()),
                byte() | byte() << 8 };
            request(socket(), afd::kIoctlEventSelect, &params, sizeof(params), nullptr, 0);
            break;
        }
        case 11: {
            // The event to reset travels as the input pointer.
            void* reset = byte() & 1 ? event() : nullptr;
            NtDeviceIoControlFile(socket(), nullptr, nullptr, nullptr, &m_result,
                afd::kIoctlGetEvents, reset, 0, m_output, byte() & 1 ? sizeof(m_output) : 8);
            break;
        }
        case 12:
            poll();
            break;
        case 13: {
            const int32_t how = byte() % 4;
            request(socket(), afd::kIoctlShutdown, &how, sizeof(how), nullptr, 0);
            break;
        }
        case 14: {
            const int32_t is_on = byte() & 1;
            request(socket(), afd::kIoctlFionbio, &is_on, sizeof(is_on), nullptr, 0);
            break;
        }
        case 15:
            NtCancelIoFileEx(
                socket(), byte() & 1 ? &m_blocks[byte() % kBlocks] : nullptr, &m_result);
            break;
        case 16:
            raw();
            break;
        default:
            NtTestAlert();
        }
    }

    void bind()
    {
        struct {
            afd::BindParams params {};
            Name name;
        } block;
        Name& bound = m_names[m_next_name++ % kPorts];
        if (byte() & 1)
            block.name = name();
        if (NT_SUCCESS(
                request(socket(), afd::kIoctlBind, &block, sizeof(block), &bound, sizeof(bound))))
            m_ports[byte() % kPorts] = bound.port;
    }

    void connect()
    {
        struct {
            afd::ConnectParams params { sizeof(Name), 0 };
            Name name;
            uint8_t data[8] = {};
        } block;
        block.params.synchronous = byte() & 1;
        block.name = name();
        if (byte() % 8 == 0)
            block.name.family = byte() & 1 ? 0 : 23;
        if (byte() % 8 == 0)
            block.params.address_length = static_cast<int8_t>(byte());
        request(socket(), afd::kIoctlConnect, &block, sizeof(block) - byte() % 9, nullptr, 0);
    }

    void accept()
    {
        switch (byte() % 3) {
        case 0: {
            HANDLE& accepted = slot();
            uint32_t handle = 0;
            // At once or not at all: the handle is needed here.
            const NTSTATUS status = NtDeviceIoControlFile(socket(), nullptr, nullptr, nullptr,
                &m_result, afd::kIoctlAccept, nullptr, 0, &m_handles[m_next_block++ % kBlocks], 4);
            handle = m_handles[(m_next_block - 1) % kBlocks];
            if (status == STATUS_SUCCESS && handle) {
                NtClose(accepted);
                accepted = reinterpret_cast<HANDLE>(uintptr_t { handle });
            }
            break;
        }
        case 1: {
            const afd::AcceptIntoParams params { static_cast<uint32_t>(
                                                     reinterpret_cast<uintptr_t>(socket())),
                byte() % 32u, byte() % 64u };
            request(socket(), afd::kIoctlAcceptInto, &params, sizeof(params), m_output,
                sizeof(m_output));
            break;
        }
        default: {
            const uint32_t handle = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(socket()));
            request(socket(), afd::kIoctlDefer, &handle, sizeof(handle), nullptr, 0);
        }
        }
    }

    /// Buffers of a transfer, in memory that stays.
    WsaBuffer* buffers()
    {
        WsaBuffer* result = m_buffers[m_next_block % kBlocks];
        for (int i = 0; i < 2; ++i)
            result[i] = { byte(), pointer(m_data) };
        return result;
    }

    void receive()
    {
        m_flags[m_next_block % kBlocks] = byte() % 8; // OOB, PEEK and nonsense
        if (byte() % 4 == 0) {
            const afd::RecvParams params { pointer(buffers()), byte() % 3u, byte() & 2,
                byte() & 0xE0 };
            request(socket(), afd::kIoctlRecv, &params, sizeof(params), nullptr, 0);
            return;
        }
        afd::RecvMsgParams params {};
        params.flags = afd::ptr64(pointer(&m_flags[m_next_block % kBlocks]));
        if (byte() & 1) {
            m_length = sizeof(m_address);
            params.address = afd::ptr64(pointer(m_address));
            params.address_length = afd::ptr64(pointer(&m_length));
        }
        params.force_async = byte() & 1;
        params.count = byte() % 3;
        params.buffers = afd::ptr64(pointer(buffers()));
        request(socket(), afd::kIoctlRecvMsg, &params, sizeof(params), nullptr, 0);
    }

    void send()
    {
        if (byte() % 8 == 0) {
            afd::TransmitParams params {};
            params.head = afd::ptr64(pointer(m_data));
            params.head_length = byte();
            params.tail = afd::ptr64(pointer(m_data));
            params.tail_length = byte();
            params.file = byte() % 16;
            request(socket(), afd::kIoctlTransmit, &params, sizeof(params), nullptr, 0);
            return;
        }
        Name& to = m_names[m_next_name++ % kPorts];
        afd::SendMsgParams params {};
        if (byte() & 1) {
            to = name();
            params.address = afd::ptr64(pointer(&to));
            params.address_length = sizeof(to);
        }
        params.flags = byte() & 1;
        params.force_async = byte() & 1;
        params.count = byte() % 3;
        params.buffers = afd::ptr64(pointer(buffers()));
        request(socket(), afd::kIoctlSendMsg, &params, sizeof(params), nullptr, 0);
    }

    void poll()
    {
        struct Block {
            afd::PollHeader header;
            afd::PollEntry entries[3];
        };
        Block block {};
        block.header.timeout = byte() & 1 ? 0 : -int64_t { byte() } * 10;
        block.header.count = byte() % 5;
        block.header.exclusive = byte() & 1;
        for (afd::PollEntry& entry : block.entries)
            entry = { reinterpret_cast<ULONG_PTR>(socket()), byte() | byte() << 8, 0 };
        request(socket(), afd::kIoctlPoll, &block, sizeof(block), m_output, sizeof(m_output));
    }

    /// Codes whose blocks have neither pointers nor addresses.
    void raw()
    {
        constexpr ULONG kFirst = afd::kIoctlFionread;
        constexpr ULONG kCount = (afd::kIoctlSetTcpKeepIntvl - kFirst) / 4 + 2;
        const ULONG code = kFirst + 4 * (byte() % kCount);
        uint8_t input[32];
        const ULONG length = byte() % sizeof(input);
        for (ULONG i = 0; i < length; ++i)
            input[i] = byte();
        // Closing must not wait; a family's multicast belongs to the machine.
        if (code == afd::kIoctlSetSoLinger && length >= 4)
            input[2] = input[3] = 0;
        if (code == afd::kIoctlMessageSelect)
            return;
        request(socket(), code, input, length, m_output, byte() % sizeof(m_output));
    }

    static void NTAPI on_io(PVOID, IO_STATUS_BLOCK*, ULONG) { }

    fuzz::Input m_input;
    HANDLE m_sockets[kSockets] = {};
    HANDLE m_events[kEvents] = {};
    uint16_t m_ports[kPorts] = {};
    uint32_t m_next_block = 0;
    uint32_t m_next_name = 0;
    // Where requests write, until they end.
    IO_STATUS_BLOCK m_blocks[kBlocks] = {};
    IO_STATUS_BLOCK m_result = {};
    uint32_t m_handles[kBlocks] = {};
    uint32_t m_flags[kBlocks] = {};
    WsaBuffer m_buffers[kBlocks][2] = {};
    Name m_names[kPorts];
    int32_t m_length = 0;
    alignas(16) uint8_t m_address[128] = {};
    alignas(16) uint8_t m_output[256] = {};
    uint8_t m_data[512] = {};
};

/// Sockets that are open; the fuzzer itself opens other things.
int64_t socket_count()
{
    DIR* directory = opendir("/proc/self/fd");
    int64_t count = 0;
    while (const dirent* entry = readdir(directory)) {
        char target[16] = {};
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1) > 0)
            count += strncmp(target, "socket:", 7) == 0;
    }
    closedir(directory);
    return count;
}

int64_t milliseconds_now()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

struct Inventory {
    int64_t objects = unit::object_count();
    int64_t blocks = ke::pool_blocks_in_use();
    int64_t sockets = socket_count();

    bool operator==(const Inventory&) const = default;
};

void play(const uint8_t* data, size_t size)
{
    Player player(fuzz::Input(data, size));
    player.play();
    ob::HandleTable::current().close_all();
    ke::Thread::detach(); // drops its APCs and requests while the player is there
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static bool s_is_warm = false;
    if (!std::exchange(s_is_warm, true)) { // table pages, the pump and its thread
        constexpr uint8_t kSelect[] = { 10, 0, 0xFF, 0, 0, 0, 0, 0 };
        constexpr uint8_t kPoll[] = { 12, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        play(kSelect, sizeof(kSelect));
        play(kPoll, sizeof(kPoll));
        usleep(10'000);
    }
    static const Inventory s_before;
    play(data, size);
    // What has been sent goes out after the handles are closed.
    const int64_t deadline = milliseconds_now() + 10'000;
    while (!(Inventory() == s_before)) {
        if (milliseconds_now() < deadline)
            continue;
        const Inventory after;
        fprintf(stderr, "left: %d objects, %d blocks, %d sockets\n",
            static_cast<int>(after.objects - s_before.objects),
            static_cast<int>(after.blocks - s_before.blocks),
            static_cast<int>(after.sockets - s_before.sockets));
        abort();
    }
    return 0;
}
