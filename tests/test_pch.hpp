// Headers that most tests share, compiled once.
#pragma once

#include <gtest/gtest.h>

#include "model/model_pch.hpp"
