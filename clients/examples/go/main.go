// Command segue-example calls a Segue server: it scores the genres of an audio file, or finds the tracks of the
// catalogue that sound most similar to a file or a track.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	segue "segue.example/segue/v1"
)

const usage = `usage: segue-example [OPTION]... classify FILE
       segue-example [OPTION]... recommend FILE|TRACK_ID
The token is read from SEGUE_TOKEN. Options:
`

func main() {
	address := flag.String("address", "127.0.0.1:50051", "address of the server, `HOST:PORT`")
	ca := flag.String("tls-ca", "", "PEM `FILE` of the root certificates to trust; without it plain text")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*address, *ca, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, describe(err))
		os.Exit(1)
	}
}

func run(address, ca, command, argument string) error {
	connection, err := connect(address, ca, os.Getenv("SEGUE_TOKEN"))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch command {
	case "classify":
		return classify(ctx, connection, argument)
	case "recommend":
		return recommend(ctx, connection, argument)
	}
	return fmt.Errorf("there is no command %q: use classify or recommend", command)
}

func classify(ctx context.Context, connection *grpc.ClientConn, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	response, err := segue.NewClassificationServiceClient(connection).Classify(ctx,
		&segue.ClassifyRequest{Audio: &segue.Audio{Content: content}})
	if err != nil {
		return err
	}
	for _, score := range response.Scores {
		fmt.Printf("%s\t%.3f\n", score.Genre, score.Score)
	}
	return nil
}

func recommend(ctx context.Context, connection *grpc.ClientConn, seed string) error {
	request, err := recommendRequest(seed)
	if err != nil {
		return err
	}
	response, err := segue.NewRecommendationServiceClient(connection).Recommend(ctx, request)
	if err != nil {
		return err
	}
	for _, found := range response.Recommendations {
		fmt.Printf("%.3f\t%s\t%s\n", found.Similarity, found.Track.TrackId, found.Track.Title)
	}
	return nil
}

// recommendRequest returns a request for a file, or for a track where there is no such file.
func recommendRequest(seed string) (*segue.RecommendRequest, error) {
	content, err := os.ReadFile(seed)
	if os.IsNotExist(err) {
		return &segue.RecommendRequest{Seed: &segue.RecommendRequest_TrackId{TrackId: seed}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &segue.RecommendRequest{Seed: &segue.RecommendRequest_Audio{Audio: &segue.Audio{Content: content}}}, nil
}
