// Cells of a pair of tokenizers on the disk: seconds of work for large vocabularies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "alambic/base/files.h"
#include "alambic/text/align/cells.h"

namespace alambic {

/// SHA-256 of all that the cells of a pair depend on: both tokenizer.json, the bytes of both
/// vocabularies and the tokens that end a completion.
std::string cells_key(const Aligner& aligner);

/// The file's bytes: a line with its version, the key and the SHA-256 of what follows,
/// little-endian int32. 1 MB for vocabularies of 50,000 tokens.
std::string cells_file(const Aligner& aligner, const Cells& cells);

/// Nothing where the bytes are damaged, or of another version or pair.
std::optional<Cells> read_cells(const Aligner& aligner, std::string_view file);

/// The cells of a pair, from `folder`/KEY.cells, which is written, all of it or nothing, where it
/// is missing or damaged. A folder that cannot be written is no error.
Cells kept_cells(const Aligner& aligner, const fs::path& folder);

/// $ALAMBIC_CACHE/cells; alambic/cells in $XDG_CACHE_HOME or ~/.cache. Nothing without any of them.
std::optional<fs::path> cells_folder();

}  // namespace alambic
