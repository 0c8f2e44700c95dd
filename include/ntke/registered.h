// Registered I/O: requests and completion queues, memory of the PE side that both halves work on.
//
// A request goes down with kCallSubmit and comes back in the completion queue it names, put there
// by whichever thread ends it. Putting takes no lock and cannot fail; one thread at a time takes
// all there is.
#pragma once

#include <cstdint>

namespace ntke {

enum RegisteredFlags : uint32_t {
    kRegisteredSend = 1, // else a receive
    kRegisteredWaitAll = 2, // a stream's receive ends when its buffer is full
    kRegisteredQuiet = 4, // its end notifies nobody
    kRegisteredTellsMessage = 8, // control data or flags of a datagram are wanted
};

/// A request; from its submission to its completion it belongs to whoever works on it. Owner: its
/// request queue. Pointers are of the PE side.
struct RegisteredRequest {
    uint64_t next; // RegisteredRequest* in the list it is in
    uint64_t queue; // RegisteredQueue*
    uint64_t data;
    uint32_t length; // bytes
    uint32_t flags; // RegisteredFlags
    uint64_t address; // sockaddr: a datagram's receiver, or room for its sender's; 0 = none
    uint64_t local; // sockaddr, room for the address that a datagram came to; 0 = none
    uint64_t control; // WSABUF*, 0 = none
    int32_t address_length; // bytes at `address`
    int32_t local_length; // bytes at `local`
    uint32_t message_flags; // out
    int32_t status; // out: NTSTATUS
    uint64_t information; // out: bytes moved
};
static_assert(sizeof(RegisteredRequest) == 80);

/// A completion queue: a stack of completed requests and, in the low bits of its pointer, whether
/// somebody wants to be notified. All is one word, so whoever puts a request there does not look
/// at the queue afterwards, when it may be gone.
struct RegisteredQueue {
    alignas(8) uint64_t word; // RegisteredRequest*, the newest, with the bits below
    uint64_t notifier; // the Linux side's
};
static_assert(sizeof(RegisteredQueue) == 16);

constexpr uint64_t kQueueIsArmed = 1; // the next completion that is not quiet notifies
constexpr uint64_t kQueueIsAudible = 2; // there is one in the stack
constexpr uint64_t kQueueBits = 3;

inline RegisteredRequest* registered_request_from(uint64_t value)
{
    return reinterpret_cast<RegisteredRequest*>(static_cast<uintptr_t>(value & ~kQueueBits));
}

inline RegisteredQueue& queue_of(const RegisteredRequest& request)
{
    return *reinterpret_cast<RegisteredQueue*>(static_cast<uintptr_t>(request.queue));
}

/// Ends a request. True: the caller must notify. `keep` is called, at most once, before that can be
/// known: it makes sure that what it takes is there when the queue has gone.
template <typename Keep>
bool complete_registered(
    RegisteredRequest& request, int32_t status, uint64_t information, Keep keep)
{
    RegisteredQueue& queue = queue_of(request);
    const bool is_audible = !(request.flags & kRegisteredQuiet);
    const auto self = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&request));
    request.status = status;
    request.information = information;
    bool is_kept = false;
    uint64_t word = __atomic_load_n(&queue.word, __ATOMIC_RELAXED);
    for (;;) {
        const bool notifies = is_audible && (word & kQueueIsArmed);
        if (notifies && !is_kept) {
            keep(queue);
            is_kept = true;
        }
        const uint64_t bits = is_audible ? kQueueIsAudible : word & kQueueBits;
        request.next = word & ~kQueueBits;
        if (__atomic_compare_exchange_n(
                &queue.word, &word, self | bits, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return notifies;
    }
}

/// Takes what is there, oldest first; null: nothing. Who is to be notified stays so.
inline RegisteredRequest* take_completions(RegisteredQueue& queue)
{
    uint64_t word = __atomic_load_n(&queue.word, __ATOMIC_RELAXED);
    do {
        if (!(word & ~kQueueBits))
            return nullptr;
    } while (!__atomic_compare_exchange_n(
        &queue.word, &word, word & kQueueIsArmed, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    RegisteredRequest* oldest = nullptr;
    for (RegisteredRequest* request = registered_request_from(word); request;) {
        RegisteredRequest* const older = registered_request_from(request->next);
        request->next = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(oldest));
        oldest = request;
        request = older;
    }
    return oldest;
}

enum class Arming { Armed, Already, Due };

/// Asks for a notification. Due: there is something in the stack to tell of.
inline Arming arm(RegisteredQueue& queue)
{
    uint64_t word = __atomic_load_n(&queue.word, __ATOMIC_RELAXED);
    do {
        if (word & kQueueIsArmed)
            return Arming::Already;
        if (word & kQueueIsAudible)
            return Arming::Due;
    } while (!__atomic_compare_exchange_n(
        &queue.word, &word, word | kQueueIsArmed, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return Arming::Armed;
}

} // namespace ntke
