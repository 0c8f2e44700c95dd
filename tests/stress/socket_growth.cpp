// What one more socket costs with 10, 1,000 and 10,000 open, and that all of them work. The costs
// are printed for a person (or the bench) to judge; a clock decides no case.

#include "harness.h"
#include "loopback.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace stress {

namespace {

using bench::UniqueSocket;

/// Opens sockets until there are `count`.
void grow(std::vector<UniqueSocket>& sockets, size_t count, Activity& activity)
{
    while (sockets.size() < count) {
        activity.doing("opening sockets");
        sockets.emplace_back(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        require(sockets.back().is_valid(), "socket");
    }
}

/// Median microseconds of socket+closesocket.
double cost_of_one(Activity& activity)
{
    std::vector<double> costs;
    for (unsigned i = 0; i < 400; ++i) {
        activity.doing("opening and closing one socket");
        const double start = now();
        const SOCKET one = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        require(one != INVALID_SOCKET && !closesocket(one), "socket, closesocket");
        costs.push_back((now() - start) * 1e6);
    }
    std::nth_element(costs.begin(), costs.begin() + 200, costs.end());
    return costs[200];
}

/// Every socket answers as a TCP socket, and no two are the same.
bool all_work(const std::vector<UniqueSocket>& sockets, Activity& activity)
{
    std::vector<SOCKET> values;
    for (const UniqueSocket& socket : sockets) {
        int type = 0;
        int length = sizeof(type);
        activity.doing("asking a socket for its type");
        if (getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length)
            || type != SOCK_STREAM)
            return false;
        values.push_back(socket.get());
    }
    std::sort(values.begin(), values.end());
    return std::adjacent_find(values.begin(), values.end()) == values.end();
}

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    stress::start(argc, argv);
    stress::Activity activity("main");
    std::vector<bench::UniqueSocket> sockets;
    std::string costs = "microseconds of socket+closesocket:";
    bool is_first = true;
    double first = 0;
    double last = 0;
    for (const size_t count : { 10, 1000, 10000 }) {
        stress::grow(sockets, count, activity);
        last = stress::cost_of_one(activity);
        first = is_first ? last : first;
        is_first = false;
        char text[80];
        std::snprintf(text, sizeof(text), " %.1f with %zu open,", last, count);
        costs += text;
        stress::report(
            stress::all_work(sockets, activity), std::to_string(count) + "_sockets_work");
    }
    char text[40];
    std::snprintf(text, sizeof(text), " ratio %.2f", last / first);
    stress::note(costs + text);
    sockets.clear();
    return stress::finish();
}
