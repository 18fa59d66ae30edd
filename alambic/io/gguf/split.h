// A model in several GGUF files, as llama.cpp's gguf-split makes them: NAME-00001-of-00003.gguf and
// so on, each with some of the tensors; the metadata in the first, and in each how many there are.
#pragma once

#include <vector>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// "NAME-00002-of-00003.gguf" for NAME.gguf, part 2 of 3.
fs::path gguf_part_path(const fs::path& whole, int64_t part, int64_t count);

/// Number of files that the model is in, by the metadata of one of them; an input error when that
/// is no number from 1 to 65535.
int64_t gguf_part_count(const GgufMetadata& metadata);

/// The files of a model in several, in order, by the path and the metadata of any of them. Input
/// errors say that its name does not fit its metadata, or which files are missing.
std::vector<fs::path> gguf_part_paths(const fs::path& any, const GgufMetadata& metadata);

/// The files that the model at `path` is in: itself, or all parts. Reads the header.
std::vector<fs::path> gguf_files_of(const fs::path& path);

/// Checks that `part`, the file `number` of those whose first has `metadata`, is one of them.
void check_gguf_part(const GgufMetadata& metadata, const GgufMetadata& part, int64_t number);

/// Metadata by which part `number` of `count` is known; `tensors` is the number of all.
void add_gguf_part(GgufMetadata& metadata, int64_t number, int64_t count, int64_t tensors);

}  // namespace alambic
