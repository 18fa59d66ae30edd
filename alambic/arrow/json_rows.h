#pragma once

#include <arrow/api.h>

#include <string>

namespace alambic {

/// Appends row `i` of a batch as a JSON object and a line break. Numbers, booleans, strings, lists
/// and structs are JSON's; maps are lists of pairs; times, dates and decimals of more digits are
/// what Arrow prints, as strings; columns of JSON (extension type arrow.json) are what their text
/// says; binary values that are no text are null. NaN and infinities are written as Python does.
/// Nulls inside of lists and structs are left out, those of a field `content` aside.
void append_json_row(const arrow::RecordBatch& batch, int64_t i, std::string& json);

}  // namespace alambic
