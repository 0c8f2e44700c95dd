// A window for the messages of WSAAsyncSelect.
#pragma once

#include "harness.h"

namespace conformance {

/// A message-only window of the test thread; made and destroyed by the fixture of the case.
inline HWND window;

inline int make_window(void**)
{
    window = CreateWindowExW(0, L"STATIC", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, nullptr,
        GetModuleHandleW(nullptr), nullptr);
    return window ? 0 : -1;
}

inline int destroy_window(void**)
{
    DestroyWindow(window);
    window = nullptr;
    return 0;
}

} // namespace conformance
