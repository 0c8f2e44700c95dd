// Network events as window messages, posted by the DLL itself where the record is kept here.
#pragma once

#include "filter.h"
#include "ntke/calls.h"
#include "sdk.h"

namespace ws2::message_select {

/// Where the messages of one selection go. To the record it is an event to set; it has no handle.
struct Target {
    ntke::HostEvent event; // first, for the record knows this part only
    HWND window;
    UINT message;
    SOCKET socket; // wParam
    uint64_t serial; // the socket's, FilterState
};

/// One reference, the caller's. Null: no memory.
Target* create(const Socket& socket, HWND window, UINT message);

/// The target in a pointer that came out of a call; null if it is an event.
Target* target_from(ntke::HostEventPtr pointer);

/// Posts what is pending, one message an event. [WSAAsyncSelect/2]
void post_pending(const Target& target);

/// Posts one message.
void post(HWND window, UINT message, SOCKET socket, long event, int error);

/// Is there such a window?
bool is_window(HWND window);

} // namespace ws2::message_select
