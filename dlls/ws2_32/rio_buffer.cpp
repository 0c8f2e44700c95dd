// The registered buffers of the process. Nothing is locked in memory: a piece is where the program
// has it when the request uses it.
#include "error.h"
#include "guard.h"
#include "heap.h"
#include "rio.h"

namespace ws2::rio {

namespace {

struct Registration {
    char* data; // null: free
    DWORD length;
    uint32_t generation; // tells an identifier from earlier ones of the same place
    uint32_t next_free;
};

// An identifier is a place and its generation. The last place of all stays free, so none is
// RIO_INVALID_BUFFERID.
constexpr unsigned kPlaceBits = 20;
constexpr uint32_t kMostPlaces = (1u << kPlaceBits) - 1;
constexpr uint32_t kGenerationMask = (1u << (32 - kPlaceBits)) - 1;
constexpr uint32_t kNone = kMostPlaces;

SrwLock lock; // guards what follows
Registration* places = nullptr; // to the end of the process
uint32_t place_count = 0;
uint32_t capacity = 0;
// Places are used again in the order they came free, so that a stale identifier is known for long.
uint32_t first_free = kNone;
uint32_t last_free = kNone;

uint32_t place_of(sdk::RioBufferId id)
{
    return static_cast<uint32_t>(reinterpret_cast<ULONG_PTR>(id)) & kMostPlaces;
}

sdk::RioBufferId id_of(uint32_t place)
{
    const uint32_t generation = places[place].generation & kGenerationMask;
    return reinterpret_cast<sdk::RioBufferId>(
        static_cast<ULONG_PTR>(generation << kPlaceBits | place));
}

Registration* find(sdk::RioBufferId id)
{
    const uint32_t place = place_of(id);
    const bool is_known = place < place_count && places[place].data && id_of(place) == id;
    return is_known ? &places[place] : nullptr;
}

/// A place that is free; kNone: there is no memory.
uint32_t take_place()
{
    if (first_free != kNone) {
        const uint32_t place = first_free;
        first_free = places[place].next_free;
        return place;
    }
    if (place_count == kMostPlaces)
        return kNone;
    if (place_count == capacity) {
        const uint32_t larger = capacity ? capacity * 2 : 16;
        auto* grown = static_cast<Registration*>(heap_allocate(larger * sizeof(Registration)));
        if (!grown)
            return kNone;
        if (capacity)
            std::memcpy(grown, places, place_count * sizeof(Registration));
        heap_free(std::exchange(places, grown));
        capacity = larger;
    }
    places[place_count].generation = 1;
    return place_count++;
}

} // namespace

sdk::RioBufferId register_buffer(char* data, DWORD length)
{
    int error = length ? 0 : WSAEINVAL;
    char byte;
    if (!error
        && (!guard::copy(&byte, data, 1) || data + length < data
            || !guard::copy(&byte, data + length - 1, 1)))
        error = WSAEFAULT;
    uint32_t place = kNone;
    if (!error) {
        ExclusiveGuard guard(lock);
        place = take_place();
        if (place != kNone) {
            places[place].data = data;
            places[place].length = length;
            return id_of(place);
        }
        error = WSAENOBUFS;
    }
    fail(error);
    return sdk::invalid_rio_buffer();
}

void deregister_buffer(sdk::RioBufferId id)
{
    ExclusiveGuard guard(lock);
    Registration* const registration = find(id);
    if (!registration)
        return;
    const uint32_t place = place_of(id);
    registration->data = nullptr;
    ++registration->generation;
    registration->next_free = kNone;
    if (first_free == kNone)
        first_free = place;
    else
        places[last_free].next_free = place;
    last_free = place;
}

int resolve(const sdk::RioBuf* piece, ULONG least, char*& data, ULONG& length)
{
    sdk::RioBuf given;
    if (!guard::read(piece, given))
        return WSAEFAULT;
    SharedGuard guard(lock);
    const Registration* const registration = find(given.id);
    if (!registration)
        return WSAEFAULT;
    if (given.offset > registration->length || given.length > registration->length - given.offset
        || given.length < least)
        return WSAEINVAL;
    data = registration->data + given.offset;
    length = given.length;
    return 0;
}

} // namespace ws2::rio
