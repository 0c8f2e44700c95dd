// Settings in the environment of the process.
#pragma once

#include <atomic>

namespace ws2 {

/// Is the variable `name` set to `value`? Upper and lower case are the same. The last error stays.
bool environment_says(const wchar_t* name, const wchar_t* value);

/// The same for a setting that counts as it was when it was first asked for. In static storage; any
/// thread may ask.
class EnvironmentSwitch {
public:
    constexpr EnvironmentSwitch(const wchar_t* name, const wchar_t* value)
        : m_name(name)
        , m_value(value)
    {
    }
    bool is_on()
    {
        State state = m_state.load(std::memory_order_relaxed);
        if (state == State::kUnknown) {
            state = environment_says(m_name, m_value) ? State::kOn : State::kOff;
            m_state.store(state, std::memory_order_relaxed);
        }
        return state == State::kOn;
    }

private:
    enum class State : char { kUnknown, kOn, kOff };

    const wchar_t* const m_name;
    const wchar_t* const m_value;
    std::atomic<State> m_state { State::kUnknown };
};

} // namespace ws2
