#include "alambic/arrow/json_rows.h"

#include <arrow/extension_type.h>
#include <arrow/util/float16.h>
#include <arrow/util/ree_util.h>
#include <simdjson.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace alambic {

namespace {

using arrow::Type;

void append_string(std::string_view text, std::string& json) {
  json += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_number(double number, std::string& json) {
  if (std::isnan(number)) {
    json += "NaN";
  } else if (std::isinf(number)) {
    json += number < 0 ? "-Infinity" : "Infinity";
  } else {
    json += nlohmann::json(number).dump();  // 5.0 stays a float
  }
}

bool is_json(const arrow::Field& field) {
  if (field.type()->id() == Type::EXTENSION) {
    return static_cast<const arrow::ExtensionType&>(*field.type()).extension_name() == "arrow.json";
  }
  const auto& metadata = field.metadata();
  return metadata && metadata->Contains("ARROW:extension:name") &&
         metadata->Get("ARROW:extension:name").ValueOr("") == "arrow.json";
}

void append_value(const arrow::Array& array, const arrow::Field& field, int64_t i,
                  std::string& json);

template <class Strings>
void append_text(const arrow::Array& array, bool is_json, int64_t i, std::string& json) {
  const std::string_view text = static_cast<const Strings&>(array).GetView(i);
  is_json ? void(json += text) : append_string(text, json);
}

template <class Bytes>
void append_bytes(const arrow::Array& array, int64_t i, std::string& json) {
  const std::string_view bytes = static_cast<const Bytes&>(array).GetView(i);
  simdjson::validate_utf8(bytes.data(), bytes.size()) ? append_string(bytes, json)
                                                      : void(json += "null");
}

template <class Lists>
void append_list(const arrow::Array& array, int64_t i, std::string& json) {
  const auto& lists = static_cast<const Lists&>(array);
  const arrow::Field& item = *lists.type()->field(0);
  json += '[';
  for (int64_t k = lists.value_offset(i); k < lists.value_offset(i) + lists.value_length(i); ++k) {
    if (k > lists.value_offset(i)) json += ", ";
    append_value(*lists.values(), item, k, json);
  }
  json += ']';
}

void append_struct(const arrow::Array& array, int64_t i, std::string& json) {
  const auto& object = static_cast<const arrow::StructArray&>(array);
  json += '{';
  for (int k = 0; k < object.num_fields(); ++k) {
    const arrow::Field& field = *object.struct_type()->field(k);
    const auto values = object.field(k);
    if (values->IsNull(i) && field.name() != "content") continue;
    if (json.back() != '{') json += ", ";
    append_string(field.name(), json);
    json += ": ";
    append_value(*values, field, i, json);
  }
  json += '}';
}

// As pairs of a key and a value, as pyarrow's to_pylist.
void append_map(const arrow::Array& array, int64_t i, std::string& json) {
  const auto& maps = static_cast<const arrow::MapArray&>(array);
  const auto& type = static_cast<const arrow::MapType&>(*maps.type());
  json += '[';
  for (int64_t k = maps.value_offset(i); k < maps.value_offset(i) + maps.value_length(i); ++k) {
    json += json.back() == '[' ? "[" : ", [";
    append_value(*maps.keys(), *type.key_field(), k, json);
    json += ", ";
    append_value(*maps.items(), *type.item_field(), k, json);
    json += ']';
  }
  json += ']';
}

// Runs of equal values, which are there once.
void append_run(const arrow::Array& array, const arrow::Field& field, int64_t i,
                std::string& json) {
  const auto& runs = static_cast<const arrow::RunEndEncodedArray&>(array);
  const int64_t run = arrow::ree_util::FindPhysicalIndex(*runs.data(), i, runs.offset());
  append_value(*runs.values(), field, run, json);
}

void append_member(const arrow::Array& array, int64_t i, std::string& json) {
  const auto& values = static_cast<const arrow::UnionArray&>(array);
  const int member = values.child_id(i);
  const bool dense = array.type_id() == Type::DENSE_UNION;
  append_value(*values.field(member), *array.type()->field(member),
               dense ? static_cast<const arrow::DenseUnionArray&>(array).value_offset(i) : i, json);
}

void append_half(const arrow::Array& array, int64_t i, std::string& json) {
  const uint16_t bits = static_cast<const arrow::HalfFloatArray&>(array).Value(i);
  append_number(arrow::util::Float16::FromBits(bits).ToDouble(), json);
}

template <class Numbers>
void append_whole(const arrow::Array& array, int64_t i, std::string& json) {
  json += std::to_string(static_cast<const Numbers&>(array).Value(i));
}

// Times, intervals and decimals.
void append_other(const arrow::Array& array, int64_t i, std::string& json) {
  const auto value = array.GetScalar(i);
  value.ok() ? append_string((*value)->ToString(), json) : void(json += "null");
}

void append_value(const arrow::Array& array, const arrow::Field& field, int64_t i,
                  std::string& json) {
  if (array.IsNull(i)) return void(json += "null");
  switch (array.type_id()) {
    case Type::NA:
      return void(json += "null");
    case Type::BOOL:
      return void(json +=
                  static_cast<const arrow::BooleanArray&>(array).Value(i) ? "true" : "false");
    case Type::INT8:
      return append_whole<arrow::Int8Array>(array, i, json);
    case Type::INT16:
      return append_whole<arrow::Int16Array>(array, i, json);
    case Type::INT32:
      return append_whole<arrow::Int32Array>(array, i, json);
    case Type::INT64:
      return append_whole<arrow::Int64Array>(array, i, json);
    case Type::UINT8:
      return append_whole<arrow::UInt8Array>(array, i, json);
    case Type::UINT16:
      return append_whole<arrow::UInt16Array>(array, i, json);
    case Type::UINT32:
      return append_whole<arrow::UInt32Array>(array, i, json);
    case Type::UINT64:
      return append_whole<arrow::UInt64Array>(array, i, json);
    case Type::HALF_FLOAT:
      return append_half(array, i, json);
    case Type::FLOAT:
      return append_number(static_cast<const arrow::FloatArray&>(array).Value(i), json);
    case Type::DOUBLE:
      return append_number(static_cast<const arrow::DoubleArray&>(array).Value(i), json);
    case Type::STRING:
      return append_text<arrow::StringArray>(array, is_json(field), i, json);
    case Type::LARGE_STRING:
      return append_text<arrow::LargeStringArray>(array, is_json(field), i, json);
    case Type::STRING_VIEW:
      return append_text<arrow::StringViewArray>(array, is_json(field), i, json);
    case Type::BINARY:
      return append_bytes<arrow::BinaryArray>(array, i, json);
    case Type::LARGE_BINARY:
      return append_bytes<arrow::LargeBinaryArray>(array, i, json);
    case Type::BINARY_VIEW:
      return append_bytes<arrow::BinaryViewArray>(array, i, json);
    case Type::FIXED_SIZE_BINARY:
      return append_bytes<arrow::FixedSizeBinaryArray>(array, i, json);
    case Type::LIST:
      return append_list<arrow::ListArray>(array, i, json);
    case Type::LARGE_LIST:
      return append_list<arrow::LargeListArray>(array, i, json);
    case Type::FIXED_SIZE_LIST:
      return append_list<arrow::FixedSizeListArray>(array, i, json);
    case Type::LIST_VIEW:
      return append_list<arrow::ListViewArray>(array, i, json);
    case Type::LARGE_LIST_VIEW:
      return append_list<arrow::LargeListViewArray>(array, i, json);
    case Type::STRUCT:
      return append_struct(array, i, json);
    case Type::MAP:
      return append_map(array, i, json);
    case Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return append_value(*coded.dictionary(), field, coded.GetValueIndex(i), json);
    }
    case Type::RUN_END_ENCODED:
      return append_run(array, field, i, json);
    case Type::SPARSE_UNION:
    case Type::DENSE_UNION:
      return append_member(array, i, json);
    case Type::EXTENSION:
      return append_value(*static_cast<const arrow::ExtensionArray&>(array).storage(), field, i,
                          json);
    default:
      return append_other(array, i, json);
  }
}

}  // namespace

void append_json_row(const arrow::RecordBatch& batch, int64_t i, std::string& json) {
  json += '{';
  for (int k = 0; k < batch.num_columns(); ++k) {
    if (k > 0) json += ", ";
    append_string(batch.schema()->field(k)->name(), json);
    json += ": ";
    append_value(*batch.column(k), *batch.schema()->field(k), i, json);
  }
  json += "}\n";
}

}  // namespace alambic
