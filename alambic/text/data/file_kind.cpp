#include "alambic/text/data/file_kind.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/utf8.h"

namespace alambic {

namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang 14

struct Magic {
  size_t at;
  std::string_view bytes, name;
};

constexpr Magic formats[] = {
    {0, "BZh"sv, "a bzip2 archive"},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     "an xz archive"},
    {0, "\x04\x22\x4D\x18"sv, "an lz4 archive"},
    {0, "PK\x03\x04"sv, "a zip archive (xlsx, docx and npz files are too)"},
    {0, "PK\x05\x06"sv, "an empty zip archive"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive"},
    {0, "Rar!\x1A\x07"sv, "a RAR archive"},
    {257, "ustar"sv, "a tar archive"},
    {0, "FEA1"sv, "a Feather file of version 1"},
    {0, "ORC"sv, "an ORC file"},
    {0, "Obj\x01"sv, "an Avro file"},
    {0, "SQLite format 3\0"sv, "an SQLite database"},
    {0, "\x89HDF\r\n\x1A\n"sv, "an HDF5 file"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "GGUF"sv, "a GGUF model"},
    {0, "%PDF-"sv, "a PDF document"},
    {0, "\x89PNG\r\n\x1A\n"sv, "a PNG image"},
    {0, "\xFF\xD8\xFF"sv, "a JPEG image"},
    {0, "GIF8"sv, "a GIF image"},
    {0, "RIFF"sv, "a RIFF file (WebP image, sound or video)"},
    {4, "ftyp"sv, "an MP4 video"},
    {0, "OggS"sv, "an Ogg file"},
    {0, "fLaC"sv, "a FLAC file"},
    {0, "ID3"sv, "an MP3 file"},
    {0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "an old Office document"},
    {0,
     "\x7F"
     "ELF"sv,
     "a program (ELF)"},
    {0, "\x80\x02"sv, "a Python pickle"},
    {0, "\x80\x03"sv, "a Python pickle"},
    {0, "\x80\x04"sv, "a Python pickle"},
    {0, "\x80\x05"sv, "a Python pickle"},
};

constexpr size_t sample_bytes = 4096;

struct Guess {
  std::string what, hint;
};

std::string iconv(const char* encoding) {
  return fmt::format("write it as UTF-8: iconv -f {} -t UTF-8 OLD > NEW", encoding);
}

// A byte order mark, or every second byte 0 as in Western text.
std::optional<Guess> wide_text(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE\0\0"sv) || bytes.starts_with("\0\0\xFE\xFF"sv)) {
    return Guess{"looks like UTF-32", iconv("UTF-32")};
  }
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    return Guess{"looks like UTF-16", iconv("UTF-16")};
  }
  const std::string_view sample = bytes.substr(0, sample_bytes);
  std::array<size_t, 2> zeros = {};
  for (size_t i = 0; i < sample.size(); ++i) zeros[i % 2] += sample[i] == 0;
  const size_t pairs = sample.size() / 2;
  if (pairs < 2) return {};
  for (const size_t side : {0, 1}) {
    if (zeros[side] * 10 < pairs * 7 || zeros[1 - side] * 10 > pairs) continue;
    const char* name = side == 1 ? "UTF-16LE" : "UTF-16BE";
    return Guess{fmt::format("looks like {} without a byte order mark", name), iconv(name)};
  }
  return {};
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\x1B') ||
         byte == 0x7F;
}

bool looks_binary(std::string_view bytes) {
  const std::string_view sample = bytes.substr(0, sample_bytes);
  return std::ranges::count_if(sample, is_control) * 10 > std::ssize(sample);
}

std::optional<Guess> guess_by_beginning(std::string_view bytes) {
  if (const std::string_view format = foreign_format(bytes); !format.empty()) {
    return Guess{fmt::format("is {} by its first bytes", format), ""};
  }
  if (auto wide = wide_text(bytes)) return wide;
  if (looks_binary(bytes)) return Guess{"looks like a binary file", ""};
  return {};
}

size_t first_invalid(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t length = utf8_length(static_cast<unsigned char>(bytes[at]));
    if (length == 0 || at + length > bytes.size() || !is_valid_utf8(bytes.substr(at, length))) {
      break;
    }
    at += length;
  }
  return at;
}

// Mostly ASCII with single high bytes between: a Western encoding of one byte a character.
Guess guess_eight_bit(std::string_view bytes, size_t at) {
  const size_t begin = at > sample_bytes / 2 ? at - sample_bytes / 2 : 0;
  const std::string_view near = bytes.substr(begin, sample_bytes);
  const auto high = std::ranges::count_if(near, [](char c) { return (c & 0x80) != 0; });
  if (high * 4 < std::ssize(near)) {
    return {"looks like Latin-1 (or Windows-1252)", iconv("WINDOWS-1252")};
  }
  return {"is text in some other encoding, or no text",
          "write it as UTF-8: iconv -f ENCODING -t UTF-8 OLD > NEW"};
}

std::string expected_formats() {
  return "expected text in UTF-8: jsonl, JSON, .csv or .txt, as it is or packed by gzip or zstd; "
         "or "
         "Parquet or Arrow";
}

}  // namespace

DataPacking packing_of(std::string_view bytes) {
  const std::string_view first_bytes = bytes.substr(0, 16);
  if (first_bytes.starts_with("\x1F\x8B")) return DataPacking::gzip;
  if (first_bytes.starts_with("\x28\xB5\x2F\xFD")) return DataPacking::zstd;
  // A skippable frame, with which some tools begin.
  if (first_bytes.size() >= 4 && (first_bytes[0] & 0xF0) == 0x50 &&
      first_bytes.substr(1, 3) == "\x2A\x4D\x18") {
    return DataPacking::zstd;
  }
  if (bytes.starts_with("PAR1") &&
      (std::ranges::any_of(first_bytes, is_control) || bytes.substr(4).ends_with("PAR1"))) {
    return DataPacking::parquet;
  }
  // A file of Arrow's, and its stream, whose first message is a schema.
  if (first_bytes.starts_with("ARROW1\0"sv) || first_bytes.starts_with("\xFF\xFF\xFF\xFF")) {
    return DataPacking::arrow;
  }
  return DataPacking::none;
}

std::string_view foreign_format(std::string_view first_bytes) {
  // A text may begin with the letters of a format; none has a control character soon after.
  const bool controls = std::ranges::any_of(first_bytes.substr(0, 512), is_control);
  for (const Magic& format : formats) {
    const bool begins =
        first_bytes.size() >= format.at && first_bytes.substr(format.at).starts_with(format.bytes);
    const bool letters = std::ranges::all_of(format.bytes, [](char c) { return c > ' '; });
    if (begins && (controls || !letters || format.bytes == "%PDF-")) return format.name;
  }
  return {};
}

void check_begins_as_text(const std::string& name, std::string_view bytes) {
  if (bytes.starts_with("version https://git-lfs")) {
    throw input_error("{} is a pointer of Git LFS: the data itself was not fetched", name)
        .with_hint("git lfs pull, in its repository");
  }
  const auto guess = guess_by_beginning(bytes);
  if (!guess) return;
  throw input_error("{} {}; {}", name, guess->what, expected_formats()).with_hint(guess->hint);
}

void check_is_text(const std::string& name, std::string_view bytes) {
  check_begins_as_text(name, bytes);
  if (simdjson::validate_utf8(bytes.data(), bytes.size())) return;
  const size_t at = first_invalid(bytes);
  const auto line = 1 + std::ranges::count(bytes.substr(0, at), '\n');
  const size_t line_begin = at == 0 ? 0 : bytes.rfind('\n', at - 1) + 1;
  const Guess guess = guess_eight_bit(bytes, at);
  throw input_error("{} is not UTF-8: byte {} (line {}, byte {} of it) is 0x{:02X}; it {}", name,
                    at + 1, line, at - line_begin + 1, static_cast<unsigned char>(bytes[at]),
                    guess.what)
      .with_hint(guess.hint);
}

void check_row_is_text(const std::string& place, std::string_view row) {
  if (simdjson::validate_utf8(row.data(), row.size())) return;
  const size_t at = first_invalid(row);
  const Guess guess = guess_eight_bit(row, at);
  throw input_error("{} is not UTF-8: byte {} of the row is 0x{:02X}; it {}", place, at + 1,
                    static_cast<unsigned char>(row[at]), guess.what)
      .with_hint(guess.hint);
}

}  // namespace alambic
