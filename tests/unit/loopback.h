// What the tests of endpoints on real sockets share: sockets on loopback, and waiting for what is
// recorded.
#pragma once

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include "afd/endpoint.h"
#include "afd/pump.h"
#include "ke/pool.h"
#include "ke/wait.h"
#include "test_endpoint.h"
#include "unit.h"

namespace unit {

constexpr int kStream = 1;
constexpr uint32_t kAllConditions = 0x1DF;
constexpr uint32_t kMsgOob = 1;
constexpr uint32_t kMsgPeek = 2;

inline int64_t milliseconds_now()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

/// Open descriptors of the process.
inline int64_t descriptor_count()
{
    DIR* directory = opendir("/proc/self/fd");
    if (!directory)
        return -1;
    int64_t count = -3; // ".", "..", and the one that reads
    while (readdir(directory))
        ++count;
    closedir(directory);
    return count;
}

inline afd::Address loopback_address(uint16_t port = 0)
{
    afd::Address address;
    const uint8_t bytes[16] = { afd::kFamilyInet, 0, static_cast<uint8_t>(port >> 8),
        static_cast<uint8_t>(port), 127, 0, 0, 1 };
    __builtin_memcpy(address.bytes, bytes, sizeof(bytes));
    address.length = sizeof(bytes);
    return address;
}

/// Makes an endpoint of a socket, which is closed.
inline NTSTATUS attach(afd::HostSocket& socket, ntke::SocketState state, int type, uint32_t flags,
    ob::Ref<afd::Endpoint>& endpoint)
{
    ntke::AttachArgs args {};
    const int fd = dup(socket.descriptor());
    socket.close();
    if (fd < 0)
        return STATUS_TOO_MANY_OPENED_FILES;
    args.family = afd::kFamilyInet;
    args.type = type;
    args.state = static_cast<uint32_t>(state);
    args.flags = flags;
    return TestEndpoint::attach(fd, args, endpoint);
}

inline NTSTATUS receive(
    afd::Endpoint& endpoint, void* bytes, size_t length, uint32_t flags, size_t* received)
{
    const afd::Buffer buffer { reinterpret_cast<uintptr_t>(bytes), length };
    return endpoint.receive(&buffer, 1, flags, nullptr, received);
}

inline NTSTATUS send(
    afd::Endpoint& endpoint, const void* bytes, size_t length, uint32_t flags, size_t* sent)
{
    const afd::Buffer buffer { reinterpret_cast<uintptr_t>(bytes), length };
    return endpoint.send(&buffer, 1, flags, nullptr, sent);
}

inline NTSTATUS select(
    afd::Endpoint& endpoint, const ob::Ref<ke::Event>& event, uint32_t mask = kAllConditions)
{
    ob::Ref<ke::Event> replaced;
    return endpoint.select(mask ? event : ob::Ref<ke::Event>(), mask, replaced);
}

} // namespace unit
