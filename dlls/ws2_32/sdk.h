// The Windows headers, once and in the order they need.
#pragma once

#include "nt/api.h"

#include <ws2tcpip.h>
#include <mswsock.h>
#include <mstcpip.h>
