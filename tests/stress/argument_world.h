#pragma once

// What a thread of the storm draws its arguments from: sockets in every state, handles of every
// kind, and memory.

#include "argument_memory.h"
#include "argument_table.h"
#include "handle_helpers.h"
#include "loopback.h"

#include <array>
#include <string>

namespace stress {

class ArgumentWorld {
public:
    ArgumentWorld(uint64_t seed);
    ArgumentWorld(const ArgumentWorld&) = delete;
    ArgumentWorld& operator=(const ArgumentWorld&) = delete;
    ~ArgumentWorld();

    Dice& dice() { return m_dice; }

    /// Before a call: makes anew what is gone, and gives the memory new bytes.
    void prepare();

    /// A value for one argument; `is_good`: nothing that the program could not have there.
    uintptr_t draw(Kind kind, bool is_good);

    /// After a call that had a handle to close: closes it if the call did not.
    void settle_closing(bool was_closed);

    /// Where the last kResult pointed; null when to nowhere good.
    void** result() const { return m_result; }

    /// Closes the handle that a call has put where kNewHandle was.
    void settle_new_handle();

    /// Ends what a call of the thread may wait for, from another thread.
    void rescue();

private:
    static constexpr size_t kSockets = 14;
    static constexpr size_t kHandles = 9;

    void make_socket(size_t slot);
    void make_connection(size_t slot);
    void make_handles();
    void close_handle_for_good();

    SOCKET draw_socket();
    HANDLE draw_handle();
    uintptr_t draw_closing(bool is_event);
    uint32_t draw_number();
    uint32_t draw_option();
    uint32_t draw_ioctl();
    void* draw_text(bool is_wide, bool is_service, bool is_good);
    void* draw_address();
    void* draw_buffers();
    void* draw_message();
    void* draw_set(bool is_good);
    void* draw_polls();
    void* draw_events();
    void* draw_guid();
    /// `size`: of the form that is asked for.
    void* draw_hints(size_t size);
    void* draw_address_list();
    void* draw_elements();
    void* draw_overlapped();
    void* draw_input();
    HANDLE draw_helper();
    void* draw_thread(HANDLE handle);
    void* draw_table();
    void* draw_new_handle();
    void* draw_notification();

    /// `value` somewhere in the memory, or a bad pointer.
    void* give(const void* value, size_t size);
    template <typename T> void* give(const T& value) { return give(&value, sizeof(value)); }
    /// A pointer for a block, at times a bad one.
    void* block(size_t size);

    Dice m_dice;
    ArgumentMemory m_memory;
    std::array<std::atomic<SOCKET>, kSockets> m_sockets;
    std::array<HANDLE, kHandles> m_handles = {};
    HANDLE m_closed = nullptr; // was one
    HWND m_window;
    HandleHelpers m_helpers;
    void* m_table; // of handle contexts; null where the DLL has none
    void** m_result = nullptr;
    void* m_result_room = nullptr;
    HANDLE* m_new_handle = nullptr;
    SOCKET m_closing_socket = INVALID_SOCKET;
    HANDLE m_closing_event = nullptr;
    sockaddr_in m_listener = {};
    sockaddr_in m_datagram = {};
};

} // namespace stress
