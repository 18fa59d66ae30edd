// A checkpoint's tensors in files of which each rank writes its own.
#pragma once

#include <filesystem>
#include <functional>

#include "alambic/train/optimizer.h"

namespace alambic {

/// "model.safetensors" of one process; of several, as of a model in shards,
/// "model-00001-of-00004.safetensors" of rank 0.
std::string part_file(const std::string& stem, const World& world);

/// Whether a file of that name holds parts of `stem`.
bool is_part_file(const std::string& name, const std::string& stem);

/// Writes these parts, but those that an earlier rank has, one after the other through the
/// machine's memory: whole tensors under their names, parts as rows of numbers called
/// NAME@PLACE-OF-THE-FIRST. `progress` is called before each. Nothing where there is nothing to
/// write; says whether there was.
bool write_parts(const std::filesystem::path& file, const std::vector<TensorPart>& parts,
                 const std::function<void()>& progress = {});

/// Copies what `targets` are out of files that hold every number of every tensor once, however they
/// are divided. Strict both ways: input errors name what differs.
void read_parts(const std::vector<std::filesystem::path>& files,
                const std::vector<TensorPart>& targets);

}  // namespace alambic
