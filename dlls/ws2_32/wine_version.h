// Which Wine it is.
#pragma once

namespace ws2 {

/// Wine's version, as wine_get_version tells it: "10.0", "11.2-rc1", "9.0 (Staging)",
/// "wine-8.21-GE".
struct WineVersion {
    int major = 0; // 0: nothing is known
    int minor = 0;

    constexpr bool is_at_least(int wanted_major, int wanted_minor) const
    {
        return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
    }
};

/// Takes the first numbers of a text, whatever a vendor has put before and behind them.
constexpr WineVersion parse_wine_version(const char* text)
{
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto read_number = [&] {
        int number = 0;
        while (is_digit(*text) && number < 1000)
            number = number * 10 + (*text++ - '0');
        return number;
    };
    while (*text && !is_digit(*text))
        ++text;
    WineVersion version;
    version.major = read_number();
    if (text[0] == '.' && is_digit(text[1])) {
        ++text;
        version.minor = read_number();
    }
    return version;
}

} // namespace ws2
