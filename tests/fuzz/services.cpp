// Sequences of services by opcode: no crash, no hang, no leak, no object left.
//
// Each step takes one byte for the service and one per argument. Handles come from a small set of
// slots, so that closed, foreign and stale ones turn up all the time; pointers are good, null, odd
// or outside the user address space. Nothing waits longer than a microsecond.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "input.h"
#include "ke/pool.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "ob/handle_table.h"
#include "unit/test_file.h"
#include "unit/unit.h"

namespace {

using fuzz::Input;

constexpr uint32_t kSlots = 16;

class Player {
public:
    explicit Player(Input input)
        : m_input(input)
    {
    }
    void play()
    {
        while (!m_input.is_empty())
            step();
    }

private:
    HANDLE& slot() { return m_slots[m_input.byte() % kSlots]; }
    HANDLE handle()
    {
        const uint8_t choice = m_input.byte();
        if (choice < 0xF0)
            return m_slots[choice % kSlots];
        return reinterpret_cast<HANDLE>(static_cast<intptr_t>(choice) - 0xF8); // -8 to 7
    }
    /// `good`, or one of the pointers services must refuse.
    template <typename T> T* pointer(T* good)
    {
        switch (m_input.byte()) {
        case 0xFF:
            return nullptr;
        case 0xFE:
            return reinterpret_cast<T*>(uintptr_t { 0x1000 });
        case 0xFD:
            return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(good) | 1);
        case 0xFC:
            return reinterpret_cast<T*>(~uintptr_t { 7 });
        default:
            return good;
        }
    }
    const LARGE_INTEGER* timeout()
    {
        // Never for ever: nobody would end the wait.
        m_timeout.QuadPart = -static_cast<LONGLONG>(m_input.byte() % 11);
        return &m_timeout;
    }
    ACCESS_MASK access() { return m_input.byte() & 1 ? GENERIC_ALL : m_input.byte() * 0x8001u; }
    const OBJECT_ATTRIBUTES* attributes()
    {
        const uint8_t choice = m_input.byte();
        if (choice & 1)
            return nullptr;
        m_attributes = {};
        m_attributes.Length = choice & 2 ? 7 : sizeof(m_attributes);
        m_attributes.Attributes = choice;
        m_name = {};
        m_name.Length = choice & 0x80 ? 2 : 0;
        m_attributes.ObjectName = choice & 0x40 ? &m_name : nullptr;
        return &m_attributes;
    }

    void step()
    {
        switch (m_input.byte() % 20) {
        case 0:
            NtCreateEvent(pointer(&slot()), access(), attributes(),
                static_cast<EventType>(m_input.byte() % 3), m_input.byte() & 1);
            break;
        case 1:
            NtSetEvent(handle(), pointer(&m_previous));
            break;
        case 2:
            NtResetEvent(handle(), pointer(&m_previous));
            break;
        case 3:
            NtPulseEvent(handle(), pointer(&m_previous));
            break;
        case 4:
            NtQueryEvent(handle(), m_input.byte() % 2, pointer(m_buffer), m_input.byte() % 16,
                pointer(&m_length));
            break;
        case 5:
        case 6:
            NtClose(handle());
            break;
        case 7:
            NtDuplicateObject(reinterpret_cast<HANDLE>(intptr_t { -1 }), handle(),
                reinterpret_cast<HANDLE>(intptr_t { -1 }), pointer(&slot()), access(),
                m_input.byte(), m_input.byte());
            break;
        case 8:
            NtSetInformationObject(
                handle(), m_input.byte() % 5, pointer(m_buffer), m_input.byte() % 4);
            break;
        case 9:
            NtQueryObject(handle(), 4, pointer(m_buffer), m_input.byte() % 4, pointer(&m_length));
            break;
        case 10:
            NtWaitForSingleObject(handle(), m_input.byte() & 1, timeout());
            break;
        case 11:
            wait_for_several();
            break;
        case 12:
            NtDelayExecution(m_input.byte() & 1, pointer(&m_now));
            break;
        case 13:
            NtQueueApcThread(handle(), reinterpret_cast<PVOID>(on_apc), this, nullptr, nullptr);
            break;
        case 14:
            (m_input.byte() & 1) ? NtAlertThread(handle()) : NtTestAlert();
            break;
        case 15:
            NtCreateIoCompletion(pointer(&slot()), access(), attributes(), m_input.byte());
            break;
        case 16:
            NtSetIoCompletion(handle(), 1, 2, m_input.byte(), 3);
            break;
        case 17:
            NtRemoveIoCompletionEx(handle(), pointer(m_packets), m_input.byte() % 9,
                pointer(&m_length), timeout(), m_input.byte() & 1);
            break;
        case 18:
            send_request();
            break;
        default:
            manage_file();
        }
    }

    void wait_for_several()
    {
        HANDLE handles[MAXIMUM_WAIT_OBJECTS + 1];
        const ULONG count = m_input.byte() % 66;
        for (ULONG i = 0; i < count && i < 8; ++i)
            handles[i] = handle();
        for (ULONG i = 8; i < count; ++i)
            handles[i] = handles[i % 8];
        NtWaitForMultipleObjects(count, pointer(handles), static_cast<WaitType>(m_input.byte() % 3),
            m_input.byte() & 1, timeout());
    }

    void send_request()
    {
        const HANDLE event = m_input.byte() & 1 ? handle() : nullptr;
        const PIO_APC_ROUTINE apc = m_input.byte() & 1 ? on_io : nullptr;
        PVOID context = m_input.byte() & 1 ? this : nullptr;
        // Blocks stay for the whole run: a pending request writes to its own until it ends.
        NtDeviceIoControlFile(handle(), event, apc, context,
            pointer(&m_blocks[m_input.byte() % kSlots]), m_input.byte() % 6, m_buffer, 8, m_buffer,
            8);
    }

    void manage_file()
    {
        switch (m_input.byte() % 6) {
        case 0: {
            const ob::Ref<unit::TestFile> file = unit::TestFile::create();
            if (file)
                ob::HandleTable::current().insert(*file, file->type().valid_access, 0, &slot());
            break;
        }
        case 1: {
            FileCompletionInformation info { handle(), 5 };
            NtSetInformationFile(handle(), pointer(&m_result), pointer(&info), sizeof(info), 30);
            break;
        }
        case 2: {
            ULONG modes = m_input.byte() % 5;
            NtSetInformationFile(handle(), pointer(&m_result), &modes, sizeof(modes), 41);
            break;
        }
        case 3:
            NtCancelIoFile(handle(), pointer(&m_result));
            break;
        case 4:
            NtCancelIoFileEx(handle(),
                m_input.byte() & 1 ? &m_blocks[m_input.byte() % kSlots] : nullptr,
                pointer(&m_result));
            break;
        default: {
            ob::Ref<unit::TestFile> file;
            ob::Ref<io::File> any;
            if (NT_SUCCESS(ob::HandleTable::current().reference(handle(), 0, any)))
                static_cast<unit::TestFile&>(*any).complete_oldest(STATUS_SUCCESS, 1);
        }
        }
    }

    static void NTAPI on_apc(PVOID player, PVOID, PVOID)
    {
        ++static_cast<Player*>(player)->m_calls;
    }
    static void NTAPI on_io(PVOID, IO_STATUS_BLOCK*, ULONG) { }

    Input m_input;
    HANDLE m_slots[kSlots] = {};
    IO_STATUS_BLOCK m_blocks[kSlots] = {};
    IO_STATUS_BLOCK m_result = {};
    CompletionPacket m_packets[8] = {};
    OBJECT_ATTRIBUTES m_attributes = {};
    UNICODE_STRING m_name = {};
    LARGE_INTEGER m_timeout {};
    LARGE_INTEGER m_now {};
    LONG m_previous = 0;
    ULONG m_length = 0;
    alignas(16) uint8_t m_buffer[64] = {};
    int m_calls = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static bool is_warm = false;
    static int64_t blocks = 0;
    {
        Player player(Input(data, size));
        player.play();
        ob::HandleTable::current().close_all();
        ke::Thread::detach(); // drops its APCs and requests while the player is there
    }
    if (unit::object_count() != 0 || ob::HandleTable::current().handle_count() != 0) {
        fprintf(stderr, "an object or a handle is left\n");
        abort();
    }
    // The table keeps its pages; a run uses one.
    if (!is_warm && ke::pool_blocks_in_use() > 0) {
        is_warm = true;
        blocks = ke::pool_blocks_in_use();
    } else if (is_warm && ke::pool_blocks_in_use() != blocks) {
        fprintf(stderr, "memory is left\n");
        abort();
    }
    return 0;
}
