#include "alambic/text/data/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "alambic/base/error.h"

namespace alambic {

namespace {

constexpr size_t piece_bytes = size_t{1} << 17;

Error broken(const std::string& name, const char* packer, size_t at) {
  return input_error("cannot unpack {}: its {} data is broken at byte {}", name, packer, at + 1)
      .with_hint("was it copied whole?");
}

Error cut_short(const std::string& name, const char* packer) {
  return input_error("cannot unpack {}: its {} data ends too early", name, packer)
      .with_hint("was it copied whole?");
}

struct Inflate {
  z_stream stream = {};
  Inflate() {
    // 16: gzip's header and digest.
    check(::inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK, "zlib cannot start");
  }
  ~Inflate() { ::inflateEnd(&stream); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
};

}  // namespace

void unpack_gzip(const std::string& name, std::string_view packed, const TakeBytes& take) {
  Inflate inflate;
  z_stream& stream = inflate.stream;
  std::vector<char> piece(piece_bytes);
  size_t at = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END || at < packed.size()) {
    if (status == Z_STREAM_END) {
      // Zeros may fill up the end, as on tapes; everything else is the next member.
      if (packed.find_first_not_of('\0', at) == packed.npos) return;
      ::inflateReset(&stream);
    }
    const size_t count =
        std::min<size_t>(packed.size() - at, std::numeric_limits<unsigned>::max() / 2);
    stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(packed.data() + at));
    stream.avail_in = static_cast<unsigned>(count);
    stream.next_out = reinterpret_cast<unsigned char*>(piece.data());
    stream.avail_out = static_cast<unsigned>(piece.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    at += count - stream.avail_in;
    const size_t made = piece.size() - stream.avail_out;
    if (made > 0) take({piece.data(), made});
    if (status == Z_BUF_ERROR || (status == Z_OK && count == 0 && made == 0)) {
      throw cut_short(name, "gzip");
    }
    if (status != Z_OK && status != Z_STREAM_END) throw broken(name, "gzip", at);
  }
}

void unpack_zstd(const std::string& name, std::string_view packed, const TakeBytes& take) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(::ZSTD_createDStream(),
                                                                        ::ZSTD_freeDStream);
  check(stream != nullptr, "zstd cannot start");
  // Up to the largest window of `zstd --long=31`.
  ::ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 31);
  std::vector<char> piece(piece_bytes);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  size_t status = 0;
  while (true) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    const size_t before = in.pos;
    status = ::ZSTD_decompressStream(stream.get(), &out, &in);
    if (::ZSTD_isError(status) != 0) throw broken(name, "zstd", in.pos);
    if (out.pos > 0) take({piece.data(), out.pos});
    if (in.pos == in.size && out.pos < out.size) break;
    if (in.pos == before && out.pos == 0) throw cut_short(name, "zstd");
  }
  if (status != 0) throw cut_short(name, "zstd");
}

}  // namespace alambic
