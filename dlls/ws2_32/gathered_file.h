// Temporary files that pending requests read from.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ws2 {

/// A file that is gone with its handle. The device reads it for as long as the request pends, and
/// there is nobody to tell us of its end: its socket keeps it.
struct GatheredFile {
    GatheredFile* next;
    HANDLE handle;
    const OVERLAPPED* overlapped; // of the request
};

/// Null when there is no memory or no place for one.
GatheredFile* new_gathered_file();

void free_gathered_file(GatheredFile* file);

/// The files of a socket. Not freed by a destructor: a socket has none.
class GatheredFiles {
public:
    void keep(GatheredFile* file);

    /// Frees those whose request has ended. One whose OVERLAPPED is in use for another request
    /// stays for now.
    void free_ended();

    /// Frees all; no request of the socket's pends any more.
    void free_all();

private:
    std::atomic<GatheredFile*> m_first { nullptr };
};

} // namespace ws2
