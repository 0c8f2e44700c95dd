// The bytes that a fuzz target is given, taken one by one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fuzz {

class Input {
public:
    Input(const uint8_t* data, size_t size)
        : m_data(data)
        , m_size(size)
    {
    }
    bool is_empty() const { return m_size == 0; }
    /// 0 when there are none left.
    uint8_t byte()
    {
        if (m_size == 0)
            return 0;
        --m_size;
        return *m_data++;
    }

private:
    const uint8_t* m_data;
    size_t m_size;
};

} // namespace fuzz
