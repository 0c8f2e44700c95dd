// Text an application gave, behind a pointer that may be bad.
#pragma once

#include "guard.h"

namespace ws2 {

/// A copy of a null-terminated text of the application, at most `kRoom - 1` characters: names that
/// Winsock looks up are shorter, a longer text is cut and found nowhere.
template <typename Char, int kRoom> class BasicGuardedText {
public:
    explicit BasicGuardedText(const Char* source)
    {
        int i = 0;
        for (; source && i < kRoom - 1; ++i) {
            if (!guard::read(source + i, m_text[i]))
                return;
            if (!m_text[i])
                break;
        }
        m_text[i] = 0;
        m_is_good = source;
    }

    /// Null when the pointer was null or bad.
    const Char* text() const { return m_is_good ? m_text : nullptr; }

private:
    Char m_text[kRoom];
    bool m_is_good = false;
};

constexpr int kGuardedRoom = 1026;
using GuardedText = BasicGuardedText<char, kGuardedRoom>;
using GuardedWideText = BasicGuardedText<wchar_t, kGuardedRoom>;

} // namespace ws2
