// The arguments of a call at the gate, read with care: pointers may lead anywhere.
#pragma once

#include "call_shape.h"
#include "gate.h"
#include "guard.h"

namespace ws2 {

class CallArguments {
public:
    explicit CallArguments(const GateCall& call)
        : m_call(call)
        , m_shape(shape_of(call.index))
    {
    }
    const CallShape& shape() const { return m_shape; }

    /// 0 for one that the call does not have.
    uintptr_t operator[](int8_t index) const
    {
        return index >= 0 && static_cast<uint32_t>(index) < m_call.count ? m_call.arguments[index]
                                                                         : 0;
    }
    /// An element of the array that an argument points to.
    template <typename T> bool read(int8_t index, size_t element, T& value) const
    {
        const auto* array = reinterpret_cast<const T*>((*this)[index]);
        return array && guard::read(array + element, value);
    }

    /// The name that the call is given, cut where the room ends. False: there is none.
    bool read_text(char* text, size_t room) const;
    /// The address that it is given; what lies behind a shorter one is zero.
    bool read_address(sockaddr_in6& address) const;

private:
    const GateCall& m_call;
    const CallShape& m_shape;
};

/// The error of a call that has failed, 0: it has not. `last_error` is what it has left.
int failure_of(const GateCall& call, DWORD last_error);

/// Writes a line about a call that has ended: WINEDEBUG=+ws2call. Numbers are hexadecimal, but for
/// errors.
void print_call(const GateCall& call, DWORD last_error);

} // namespace ws2
