// Tables of Parquet and Arrow files. What reads them is a library of its own, libalambic_arrow.so,
// which is loaded at the first such file: Apache Arrow is large and few need it.
#pragma once

#include <string>

#include "alambic/base/files.h"
#include "alambic/text/data/file_kind.h"
#include "alambic/text/data/unpack.h"

namespace alambic {

/// What libalambic_arrow.so gives, by the C symbol kTableLibrarySymbol.
struct TableLibrary {
  const char* version;  ///< of Alambic: the program and its library must be of one build
  void (*write_rows)(const std::string& name, const fs::path& path, DataPacking packing,
                     const TakeBytes& take);
};

inline constexpr const char* kTableLibrarySymbol = "alambic_table_library";

/// The rows of a table as JSON objects, one per line, in pieces: a row group or a batch is in
/// memory at a time. Nulls inside of lists and objects are left out, `content` aside: in such files
/// all objects of a column have the fields of any. Input errors name the file: broken, encrypted,
/// a packing that is unknown. Environment errors: the library is missing (what to install), or of
/// another build.
void write_table_rows(const std::string& name, const fs::path& path, DataPacking packing,
                      const TakeBytes& take);

/// Whether the library is there.
bool has_table_library();

}  // namespace alambic
