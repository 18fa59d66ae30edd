# libalambic_arrow.so, which libalambic_core.so loads when it reads the first Parquet or Arrow file
# (alambic/text/data/table_library.h), with the headers and the two libraries of the pyarrow wheel.
file(GLOB _arrow_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/alambic/arrow/*.cpp")
add_library(alambic_arrow MODULE ${_arrow_sources})
target_include_directories(alambic_arrow SYSTEM PRIVATE "${ALAMBIC_ARROW_LIB}/include")
target_link_libraries(alambic_arrow PRIVATE alambic_core "${ALAMBIC_ARROW_LIB}/libparquet.so.2600"
                                            "${ALAMBIC_ARROW_LIB}/libarrow.so.2600")
