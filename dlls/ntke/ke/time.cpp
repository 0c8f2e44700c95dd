#include "ke/time.h"

#include <algorithm>
#include <ctime>

namespace ke {

namespace {

constexpr int64_t kTicksPerSecond = 10'000'000;
constexpr int64_t kTicksPerMillisecond = 10'000;
constexpr int64_t kSecondsFrom1601To1970 = 11'644'473'600;

int64_t ticks_of(clockid_t clock)
{
    timespec now {};
    clock_gettime(clock, &now);
    return now.tv_sec * kTicksPerSecond + now.tv_nsec / 100;
}

} // namespace

int64_t system_time()
{
    return ticks_of(CLOCK_REALTIME) + kSecondsFrom1601To1970 * kTicksPerSecond;
}

int64_t interrupt_time()
{
    return ticks_of(CLOCK_MONOTONIC);
}

int milliseconds_until(int64_t interrupt_time)
{
    const int64_t now = ke::interrupt_time();
    if (interrupt_time <= now)
        return 0;
    const int64_t left = (interrupt_time - now + kTicksPerMillisecond - 1) / kTicksPerMillisecond;
    return static_cast<int>(std::min<int64_t>(left, INT32_MAX));
}

timespec timespec_from_ticks(int64_t ticks)
{
    constexpr int64_t kPerSecond = 10'000'000;
    const int64_t held = std::clamp<int64_t>(ticks, 0, INT32_MAX * kPerSecond);
    timespec result {};
    result.tv_sec = held / kPerSecond;
    result.tv_nsec = held % kPerSecond * 100;
    return result;
}

DueTime DueTime::from_timeout(const LARGE_INTEGER* timeout)
{
    if (!timeout)
        return never();
    const int64_t ticks = timeout->QuadPart;
    if (ticks == 0)
        return now();

    int64_t distance;
    if (ticks > 0) {
        distance = ticks - system_time();
        if (distance <= 0)
            return now();
    } else if (ticks == INT64_MIN) {
        return never(); // has no positive counterpart; it is 29,000 years away
    } else {
        distance = -ticks;
    }
    const int64_t start = ke::interrupt_time();
    // What lies past the end of the clock never comes.
    return distance < INT64_MAX - start ? DueTime(start + distance) : never();
}

const LARGE_INTEGER* DueTime::to_timeout(LARGE_INTEGER& room) const
{
    if (is_never())
        return nullptr;
    room.QuadPart = is_now() ? 0 : -std::max<int64_t>(m_interrupt_time - ke::interrupt_time(), 0);
    return &room;
}

DueTime DueTime::in_milliseconds(int64_t milliseconds)
{
    LARGE_INTEGER timeout;
    timeout.QuadPart = -milliseconds * kTicksPerMillisecond;
    return from_timeout(&timeout);
}

} // namespace ke
