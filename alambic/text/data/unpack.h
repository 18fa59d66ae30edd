// Packed data, a piece at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace alambic {

/// Called with one piece after another.
using TakeBytes = std::function<void(std::string_view)>;

/// The bytes that gzip packed; several members after one another are one text, as for gunzip.
/// Input errors name the file: what is broken, or cut short.
void unpack_gzip(const std::string& name, std::string_view packed, const TakeBytes& take);

/// The same of zstd's frames.
void unpack_zstd(const std::string& name, std::string_view packed, const TakeBytes& take);

}  // namespace alambic
