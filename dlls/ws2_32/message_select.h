// Network events as window messages, posted by the DLL itself where the record is kept here.
#pragma once

#include "filter.h"
#include "ntke/calls.h"
#include "sdk.h"

namespace ws2::message_select {

/// Where the messages of one selection go. Owner: the record, until it comes to serve() to be
/// freed.
struct Target {
    ntke::MessageTarget link; // first, for the record knows this part only
    HWND window;
    UINT message;
    SOCKET socket; // wParam
    uint64_t serial; // the socket's, FilterState
};

/// Null: no memory.
Target* create(const Socket& socket, HWND window, UINT message);

/// One that no record has got.
void destroy(Target* target);

/// Does what the record has left to do here, for the targets of a list, and takes them off it.
void serve(uint64_t& targets);

/// Posts one message.
void post(HWND window, UINT message, SOCKET socket, long event, int error);

/// Is there such a window?
bool is_window(HWND window);

} // namespace ws2::message_select
