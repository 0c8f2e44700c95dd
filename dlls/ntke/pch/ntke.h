// What nearly every file takes, for a build that reads it once (-Db_pch=true). No file may rely on
// it.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "nt/api.h"
