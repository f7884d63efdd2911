/* Copies between a line of a map, of any strides, and rows of whole vectors. */
#pragma once
#include "vectors.h"

/* Exchange rows and lanes of LANES vectors. */
INLINE void transpose(vec *rows) {
#if defined(__clang__) || !defined(__GNUC__)
    real values[LANES][LANES];
    memcpy(values, rows, sizeof values);
    for (i64 r = 0; r < LANES; r++)
        for (i64 l = 0; l < LANES; l++) rows[r][l] = values[l][r];
#else
    UNROLL for (int apart = 1; apart < LANES; apart *= 2) {
        index_vec low, high; /* lanes of a pair of rows that swap their squares of `apart` lanes */
        UNROLL for (int l = 0; l < LANES; l++) {
            low[l] = l & apart ? LANES + l - apart : l;
            high[l] = l & apart ? LANES + l : l + apart;
        }
        UNROLL for (int r = 0; r < LANES; r++) {
            if (r & apart) continue;
            const vec first = rows[r], second = rows[r + apart];
            rows[r] = __builtin_shuffle(first, second, low);
            rows[r + apart] = __builtin_shuffle(first, second, high);
        }
    }
#endif
}

/* Read LANES sites, which lie together in each channel. */
INLINE void read_square(real *rows, i64 step, const real *line, i64 channels, i64 channel_stride) {
    vec square[LANES];
    UNROLL for (int c = 0; c < LANES; c++) square[c] = c < channels ? load(line + c * channel_stride) : (vec){0};
    transpose(square);
    UNROLL for (int s = 0; s < LANES; s++) store(rows + s * step, square[s]);
}

INLINE void write_square(real *line, i64 channels, i64 channel_stride, const real *rows, i64 step) {
    vec square[LANES];
    UNROLL for (int s = 0; s < LANES; s++) square[s] = load(rows + s * step);
    transpose(square);
    UNROLL for (int c = 0; c < LANES; c++)
        if (c < channels) store(line + c * channel_stride, square[c]);
}

/* Read `count` sites of up to LANES channels into rows that lie `step` elements apart; what a row has more is zero. */
static void read_block(real *rows, i64 step, const real *line, i64 site_stride, i64 count, i64 channels,
                       i64 channel_stride) {
    if (channel_stride == 1 && channels == LANES) {
        for (i64 i = 0; i < count; i++) store(rows + i * step, load(line + i * site_stride));
        return;
    }
    if (site_stride == 1 && count >= LANES) {
        for (i64 i = 0; i < count; i += LANES) {
            const i64 at = least(i, count - LANES); /* the last square overlaps the one before */
            read_square(rows + at * step, step, line + at, channels, channel_stride);
        }
        return;
    }
    if (channels < LANES)
        for (i64 i = 0; i < count; i++) store(rows + i * step, (vec){0});
    for (i64 c = 0; c < channels; c++)
        for (i64 i = 0; i < count; i++) rows[i * step + c] = line[i * site_stride + c * channel_stride];
}

/* Write rows back. */
static void write_block(real *line, i64 site_stride, i64 count, i64 channels, i64 channel_stride, const real *rows,
                        i64 step) {
    if (channel_stride == 1 && channels == LANES) {
        for (i64 i = 0; i < count; i++) store(line + i * site_stride, load(rows + i * step));
        return;
    }
    if (site_stride == 1 && count >= LANES) {
        for (i64 i = 0; i < count; i += LANES) {
            const i64 at = least(i, count - LANES);
            write_square(line + at, channels, channel_stride, rows + at * step, step);
        }
        return;
    }
    for (i64 c = 0; c < channels; c++)
        for (i64 i = 0; i < count; i++) line[i * site_stride + c * channel_stride] = rows[i * step + c];
}

/* Read all channels of `count` sites into rows of whole vectors. */
static void read_rows(real *rows, const real *line, i64 site_stride, i64 count, i64 channels, i64 channel_stride) {
    const i64 step = filled(channels);
    for (i64 c = 0; c < channels; c += LANES)
        read_block(rows + c, step, line + c * channel_stride, site_stride, count, least(LANES, channels - c),
                   channel_stride);
}

/* Write them back. */
static void write_rows(real *line, i64 site_stride, i64 count, i64 channels, i64 channel_stride, const real *rows) {
    const i64 step = filled(channels);
    for (i64 c = 0; c < channels; c += LANES)
        write_block(line + c * channel_stride, site_stride, count, least(LANES, channels - c), channel_stride,
                    rows + c, step);
}
