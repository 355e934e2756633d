// The tables of results files, with the columns that others rely on; tables may have more.
//
// Private to src/io/results.cpp.
#pragma once

#include <array>
#include <span>

#include "io/table.hpp"

namespace fleet {

inline constexpr const char* kCells = "cells";
inline constexpr const char* kMetrics = "metrics";
inline constexpr const char* kTraffic = "traffic";          // a table that files of earlier versions lack
inline constexpr const char* kInstruments = "instruments";  // a table that only cells with instruments have

inline constexpr std::array kCellColumns = {ColumnSpec{"cell", ColumnType::kInteger},
                                            ColumnSpec{"id", ColumnType::kText}};
inline constexpr std::array kCellFileColumns = {ColumnSpec{"status", ColumnType::kText},
                                                ColumnSpec{"reason", ColumnType::kText}};
inline constexpr std::array kMetricColumns = {
    ColumnSpec{"cell", ColumnType::kInteger},  ColumnSpec{"round", ColumnType::kInteger},
    ColumnSpec{"epoch", ColumnType::kInteger}, ColumnSpec{"robot", ColumnType::kInteger},
    ColumnSpec{"split", ColumnType::kText},    ColumnSpec{"metric", ColumnType::kText},
    ColumnSpec{"value", ColumnType::kReal}};
inline constexpr std::array kShardColumns = {
    ColumnSpec{"cell", ColumnType::kInteger}, ColumnSpec{"robot", ColumnType::kInteger},
    ColumnSpec{"label", ColumnType::kInteger}, ColumnSpec{"samples", ColumnType::kInteger}};
inline constexpr std::array kRoundColumns = {
    ColumnSpec{"cell", ColumnType::kInteger},     ColumnSpec{"round", ColumnType::kInteger},
    ColumnSpec{"epoch", ColumnType::kInteger},    ColumnSpec{"participants", ColumnType::kInteger},
    ColumnSpec{"bytes_moved", ColumnType::kLong}, ColumnSpec{"merge_iterations", ColumnType::kInteger}};
inline constexpr std::array kTrafficColumns = {
    ColumnSpec{"cell", ColumnType::kInteger}, ColumnSpec{"round", ColumnType::kInteger},
    ColumnSpec{"cargo", ColumnType::kText}, ColumnSpec{"sent", ColumnType::kLong},
    ColumnSpec{"received", ColumnType::kLong}};
inline constexpr std::array kInstrumentColumns = {
    ColumnSpec{"cell", ColumnType::kInteger},    ColumnSpec{"round", ColumnType::kInteger},
    ColumnSpec{"instrument", ColumnType::kText}, ColumnSpec{"subject", ColumnType::kText},
    ColumnSpec{"split", ColumnType::kText},      ColumnSpec{"metric", ColumnType::kText},
    ColumnSpec{"robot", ColumnType::kInteger},   ColumnSpec{"other", ColumnType::kInteger},
    ColumnSpec{"at", ColumnType::kReal},         ColumnSpec{"value", ColumnType::kReal}};

/// Of a cell's file, besides the cell.
struct TableSpec {
  const char* name;
  std::span<const ColumnSpec> columns;
};
inline constexpr std::array kTables = {TableSpec{kMetrics, kMetricColumns}, TableSpec{"shards", kShardColumns},
                                       TableSpec{"rounds", kRoundColumns}, TableSpec{kTraffic, kTrafficColumns},
                                       TableSpec{kInstruments, kInstrumentColumns}};

}  // namespace fleet
