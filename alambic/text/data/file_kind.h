// What a data file is by its bytes, whatever its name says.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Forms of a data file that are taken apart before its rows are read.
enum class DataPacking { none, gzip, zstd, parquet, arrow };

/// By the first bytes of a file; Parquet also by its last ones.
DataPacking packing_of(std::string_view bytes);

/// What people call a format that is neither text nor one of DataPacking, by its first bytes
/// (512 are enough): "a zip archive", "a PDF document"; empty: it may be text.
std::string_view foreign_format(std::string_view first_bytes);

/// Refuses, as input errors, bytes that are no text in UTF-8: with the place of the first byte that
/// is wrong and a guess what they are: another format, UTF-16 or UTF-32, Latin-1, binary. `name` is
/// what the error calls the file.
void check_is_text(const std::string& name, std::string_view bytes);

/// The same of one row, whose place errors begin with: "train.jsonl:3".
void check_row_is_text(const std::string& place, std::string_view row);

/// The same of the beginning alone: other formats, UTF-16 and binary files are known by it.
void check_begins_as_text(const std::string& name, std::string_view bytes);

}  // namespace alambic
