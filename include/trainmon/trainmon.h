/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All of the core library. The wings have headers of their own: server.h. */
#ifndef TRAINMON_TRAINMON_H
#define TRAINMON_TRAINMON_H

#include "alert.h"
#include "allocator.h"
#include "confusion.h"
#include "error.h"
#include "extract.h"
#include "hardware.h"
#include "image.h"
#include "leaderboard.h"
#include "record.h"
#include "result.h"
#include "series.h"
#include "session.h"
#include "store.h"
#include "version.h"

#endif
