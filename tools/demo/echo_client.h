// A client that checks every byte it gets back.
#pragma once

#include <winsock2.h>

namespace demo {

/// What one client is to do and what came of it. Written by its own thread until that has ended.
struct Client {
    unsigned number = 0; // seeds the data, so that no two clients send the same
    unsigned short port = 0; // on 127.0.0.1
    unsigned long long bytes = 0; // to send
    volatile LONG* running = nullptr; // clients that have not ended; the last one sets all_ended
    WSAEVENT all_ended = WSA_INVALID_EVENT;
    unsigned long long echoed = 0;
    unsigned long long wrong = 0; // bytes that differ from what was sent
    unsigned sent_sum = 0; // checksums of both directions
    unsigned echoed_sum = 0;
    const char* failed_call = nullptr; // nullptr when every call did what it should
    int error = 0;
};

/// Connects with a blocking socket, sends blocks of changing size, reads each back and compares it.
/// Thread entry: `parameter` is a Client.
DWORD WINAPI run_client(void* parameter);

} // namespace demo
