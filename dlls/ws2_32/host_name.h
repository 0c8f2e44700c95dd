// Text of host names between the ANSI code page and UTF-16.
#pragma once

#include "guard_text.h"
#include "resolver.h"

namespace ws2 {

/// A host or service name a program gave, as UTF-16, whatever it was given in.
class NameArgument {
public:
    enum class State { kAbsent, kGood, kBadPointer };

    explicit NameArgument(const char* name);
    explicit NameArgument(const wchar_t* name);

    State state() const { return m_state; }
    bool is_absent() const { return m_state == State::kAbsent; }
    bool is_bad() const { return m_state == State::kBadPointer; }
    /// Null when the program gave none.
    const wchar_t* text() const { return m_state == State::kGood ? m_text : nullptr; }

private:
    static constexpr int kRoom = 1026; // NI_MAXHOST and a terminator
    State m_state;
    wchar_t m_text[kRoom];
};

} // namespace ws2
