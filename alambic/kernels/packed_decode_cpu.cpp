#include "alambic/kernels/packed_dispatch_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

namespace {

template <class Format>
struct Decode {
  static void run(const uint8_t* block, int64_t n, float* to) {
    int64_t i = 0;
    for (; i + Format::numbers <= n; i += Format::numbers, block += Format::bytes) {
      if constexpr (is_plain<Format>) {
        store(to + i, Format::vector(block));
      } else {
        const Unpacked<Format> unpacked(block);
        for (int p = 0; p < unpacked.parts; ++p) {
          unpacked.each_of_part(
              p, [&](int j, Vec number) ALAMBIC_INLINE { store(to + i + j, number); });
        }
      }
    }
    if constexpr (is_plain<Format>) {
      if (i < n) store_some(to + i, some<Format>(block, n - i), n - i);
    }
  }
};

// Numbers of F8_E4M3, times the scales of their tiles.
void decode_tiles(const PackedArgs& job, const uint8_t* row, int64_t k, int64_t n, float* to) {
  const TileArgs& tiles = job.tiles;
  const int64_t r = tiles.first_row + (row - job.b) / job.b_row;
  const float* scales = tiles.scales + r / tiles.rows * tiles.across;
  for (int64_t i = 0; i < n;) {
    const int64_t tile = (k + i) / tiles.columns, rest = (tile + 1) * tiles.columns - k;
    const int64_t end = rest < n ? rest : n;
    const Vec scale = splat(scales[tile]);
    for (; i + lanes <= end; i += lanes) store(to + i, e4m3(row + k + i) * scale);
    if (i == end) continue;
    uint8_t last[lanes] = {};
    __builtin_memcpy(last, row + k + i, end - i);
    store_some(to + i, e4m3(last) * scale, end - i);
    i = end;
  }
}

}  // namespace

void decode_packed(const PackedArgs& job, const uint8_t* row, int64_t k, int64_t n, float* to) {
  if (job.tiles.scales != nullptr) return decode_tiles(job, row, k, n, to);
  const uint8_t* blocks = row + k / job.block * job.block_bytes;
  if (auto* decode = kernel_of<Decode>(job.format)) {
    decode(blocks, n, to);
  } else {
    job.decode(job.dtype, blocks, n, to);
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA
