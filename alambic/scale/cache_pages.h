#pragma once

#include <cstdint>

namespace alambic {

/// Tokens whose keys and values are one page of a device's cache. As many as the kernel of
/// attention takes together (kernels/cuda/decode.cu), so that the entries which it reads for a head
/// lie in one piece of some KB; a completion leaves half a page empty on average.
inline constexpr int64_t cache_page = 32;
/// Passes between two looks of the host at what a device has drawn: a completion has the pages for
/// so many tokens more.
inline constexpr int64_t passes_per_read = 8;
/// Pages come in so many steps: each moves all of them to larger tensors, whose last part is empty.
inline constexpr int64_t cache_steps = 8;

/// Most tokens for which a device has pages, of `slots` completions of which `shared` in a row have
/// one prompt.
double cached_tokens(double slots, double shared, double prompt, double completion);

}  // namespace alambic
