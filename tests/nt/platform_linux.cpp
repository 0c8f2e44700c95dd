#include "platform.h"

#include <ctime>

#include <pthread.h>
#include <sched.h>

#include "afd/pump.h"
#include "ke/thread.h"
#include "ob/object.h"
#include "ob/read_section.h"

namespace nt_suite {

namespace {

struct Start {
    void (*run)(void*);
    void* argument;
};

void* thread_main(void* argument)
{
    const Start start = *static_cast<Start*>(argument);
    delete static_cast<Start*>(argument);
    start.run(start.argument);
    return nullptr;
}

} // namespace

void* start_thread(void (*run)(void* argument), void* argument)
{
    pthread_t thread;
    if (pthread_create(&thread, nullptr, thread_main, new Start { run, argument }) != 0)
        return nullptr;
    return reinterpret_cast<void*>(thread);
}

bool join_thread(void* thread)
{
    timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 30;
    return pthread_timedjoin_np(reinterpret_cast<pthread_t>(thread), nullptr, &limit) == 0;
}

void pause_briefly()
{
    const timespec pause { 0, 1'000'000 };
    nanosleep(&pause, nullptr);
}

uint64_t milliseconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000
        + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

NTSTATUS set_file_information(HANDLE file, ULONG info_class, void* info, ULONG length)
{
    IO_STATUS_BLOCK iosb {};
    return NtSetInformationFile(file, &iosb, info, length, info_class);
}

const char* describe_system()
{
    return "ntke, native";
}

bool begin_showing_to_winsock()
{
    return false;
}

void show_to_winsock(HANDLE)
{
}

int64_t leaked_objects()
{
    ke::Thread::detach(); // the test thread's own object
    afd::Pump::instance().drain();
    ob::reclaim_now();
    int64_t objects = 0;
    for (const ob::Type* type :
        { &ob::g_event_type, &ob::g_thread_type, &ob::g_file_type, &ob::g_completion_type })
        objects += type->objects.load();
    return objects;
}

} // namespace nt_suite
