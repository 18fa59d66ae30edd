#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

/// packed_attention by its definition in scalar loops: q [N, H, d], k and v [N, K, d], dense;
/// window and softcap 0, sinks empty: none. sinks [H].
std::vector<double> packed_attention(const std::vector<double>& q, const std::vector<double>& k,
                                     const std::vector<double>& v,
                                     const std::vector<int64_t>& offsets, int64_t heads,
                                     int64_t kv_heads, int64_t d, double scale, int64_t window = 0,
                                     double softcap = 0, const std::vector<double>& sinks = {});

}  // namespace alambic::kernels::ref
